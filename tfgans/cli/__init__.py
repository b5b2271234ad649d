"""The command line: `tfgans train`, `generate`, `evaluate`, `compare`, `list`.

Each command is a file here with its `HELP`, its `OPTIONS` as a table, and `run(arguments)`. None of
these imports TensorFlow before it is needed, so that `--help` and `list` answer at once.
"""

import contextlib
import errno
import io
import os
import pathlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import tfgans
from tfgans.cli import compare, evaluate, generate, train
from tfgans.cli import list as list_
from tfgans.cli.parsing import Parser, parse
from tfgans.errors import TrainingError, UsageError, first_line

COMMANDS = {
    "train": train,
    "generate": generate,
    "evaluate": evaluate,
    "compare": compare,
    "list": list_,
}

DONE, FAULT, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: What follows the program's name; by default what the process was started with.

    Returns:
        The exit code: 0 done, 1 a fault in the run, 2 wrong usage or bad input, 130 interrupted.
    """

    def run() -> None:
        arguments = parse(_parser(), sys.argv[1:] if argv is None else argv)
        COMMANDS[arguments.pop("command")].run(arguments)

    return answered(run)


def answered(run: Callable[[], None]) -> int:
    """Runs a command, says in one line what went wrong, and returns the exit code."""
    _mend_streams()
    try:
        with _sigterm_as_interrupt():
            run()
            sys.stdout.flush()
    except UsageError as error:
        return _say(WRONG_USAGE, f"error: {error}")
    except TrainingError as error:
        return _say(FAULT, f"error: {error}")
    except MemoryError as error:
        return _say(FAULT, f"error: out of memory: {first_line(error)}")
    except KeyboardInterrupt as interrupt:
        return _say(INTERRUPTED, str(interrupt) or "interrupted")
    except BrokenPipeError:  # `tfgans list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAULT
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        if error.filename is None and not full:
            raise
        where = "disk full" if error.filename is None else error.filename
        return _say(FAULT if full else WRONG_USAGE, f"error: {error.strerror}: {where}")
    return DONE


def _parser() -> Parser:
    """Returns the parser of all commands."""
    program = pathlib.Path(sys.argv[0]).name
    parser = Parser(prog="tfgans", description="A zoo of generative adversarial networks.")
    version = f"tfgans {tfgans.__version__}"
    parser.add_argument("--version", action="version", version=version, help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="|".join(COMMANDS), required=True)
    for name, command in COMMANDS.items():
        prog = f"python {program}" if program == f"{name}.py" else f"tfgans {name}"
        own = commands.add_parser(name, prog=prog, help=command.HELP, description=command.HELP)
        own.add_options(command.OPTIONS)
    return parser


def _mend_streams() -> None:
    """Opens streams that the caller closed (`>&-`), and lets them take names of any letters."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say(code: int, message: str) -> int:
    """Prints `message` in one line and returns `code`."""
    print(" ".join(message.split()), file=sys.stderr)
    return code


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Makes SIGTERM end a command as Ctrl-C does, also before and after the training loop."""

    def interrupt(signum, frame):
        raise KeyboardInterrupt("terminated")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
