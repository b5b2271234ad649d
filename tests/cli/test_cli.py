import errno
import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import time

import pytest

import tfgans
from tfgans import TrainingError, UsageError, cli, list_variants
from tfgans.cli import parsing, quiet
from tfgans.cli import train as train_command

COMMANDS = tuple(cli.COMMANDS)

HEAVY = "{'tensorflow', 'keras', 'numpy', 'matplotlib', 'PIL'} & set(sys.modules)"


@pytest.fixture
def main(tmp_path, monkeypatch, capsys):
    """Runs a command here, in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = cli.main([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


def assert_one_line(answer, code=2, says=""):
    assert answer[0] == code, answer
    assert answer[1] == ""
    assert answer[2].count("\n") == 1, answer[2]
    assert re.search(says, answer[2]), answer[2]


# What answers at once.


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["train", "--help"],
        ["generate", "--help"],
        ["evaluate", "--help"],
        ["compare", "--help"],
        ["list", "--help"],
        ["list"],
        ["train", "--list"],
        ["train", "--list", "--json"],
        ["train", "--variant=wgan_gb"],
    ],
    ids=" ".join,
)
def test_answers_without_tensorflow(words, run_python):
    code = f"""
import sys
from tfgans.cli import main
try:
    main({words!r})
finally:
    print({HEAVY}, file=sys.stderr)
"""
    assert run_python("-c", code).stderr.splitlines()[-1] == "set()"


@pytest.mark.parametrize("words", [["train.py", "--help"], ["train.py", "--list"]], ids=" ".join)
def test_answers_within_seven_tenths_of_a_second(words, repo, run_python):
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run_python(repo / words[0], *words[1:]).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Of the processor, not of the clock: other tests run at the same time.
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert 0 < min(times) < 0.7, times


def test_the_scripts_are_the_commands(repo, run_python):
    for command in ("train", "generate", "evaluate"):
        script = run_python(repo / f"{command}.py", "--help").stdout
        module = run_python("-m", "tfgans", command, "--help").stdout
        assert script.startswith(f"usage: python {command}.py ")
        assert module.startswith(f"usage: tfgans {command} ")
        assert script.partition("\n\n")[2] == module.partition("\n\n")[2]
    listed = run_python("-m", "tfgans", "list", "--json").stdout
    assert run_python(repo / "train.py", "--list", "--json").stdout == listed


def test_console_command_is_installed(run_python):
    code = "from importlib.metadata import entry_points as e; print(*e(name='tfgans'))"
    assert "tfgans.cli:main" in run_python("-c", code).stdout


def test_list_is_the_registry(main):
    code, out, _ = main("list", "--json")
    assert code == 0
    assert out.count("\n") == 1
    assert json.loads(out) == [
        {"name": e.name, "paper": e.paper, "family": e.family, "needs": list(e.needs)}
        for e in list_variants()
    ]
    table = main("list")[1].splitlines()
    assert table[0].split() == ["name", "paper", "family", "needs"]
    assert [line.split()[0] for line in table[1:]] == [e.name for e in list_variants()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_one_line_of_help_with_its_default(command):
    for group in cli.COMMANDS[command].OPTIONS.values():
        for flag, settings in group.items():
            text = settings["help"]
            assert re.search(r"; (default \S|no default$|may be repeated; default)", text), flag
            assert len(text) <= 85, (flag, len(text))


def test_help_has_a_line_for_each_option(main, capsys):
    with pytest.raises(SystemExit) as done:
        main("train", "--help")
    assert done.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 110
    for flag in [flag for group in train_command.OPTIONS.values() for flag in group]:
        assert sum(line.startswith(f"  {flag} ") for line in lines) == 1, flag


def test_closed_pipe_is_no_error(run_python):
    code = f"{sys.executable} -m tfgans list | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_version_is_printed(main, capsys):
    with pytest.raises(SystemExit) as done:
        main("--version")
    assert done.value.code == 0
    assert capsys.readouterr().out == f"tfgans {tfgans.__version__}\n"


def test_only_chatter_is_kept_from_stderr(capfd):
    with quiet._without_chatter():
        os.write(2, b"I0000 port.cc:153] oneDNN custom operations are on. You may see\n")
        os.write(2, b"E0000 cuda_platform.cc:52] failed call to cuInit: INTERNAL: ERROR (303)\n")
        os.write(2, b"E0000 cuda_platform.cc:52] failed call to cuInit: INTERNAL: ERROR (999)\n")
    print("after", file=sys.stderr)
    lines = capfd.readouterr().err.splitlines()
    assert [line[-5:] for line in lines] == ["(999)", "after"]


# Wrong words.


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], r"required: train\|generate\|evaluate\|compare\|list"),
        (["trian"], "'trian'.*'train', 'generate', 'evaluate', 'compare', 'list'"),
        (["train"], "--variant=NAME; --list shows"),
        (["train", "--variant=wgan_gb"], "unknown variant 'wgan_gb'. Did you mean 'wgan_gp'"),
        (["list", "wgan_gb"], "unknown variant 'wgan_gb'. Did you mean 'wgan_gp'"),
        (["train", "--step=3"], "unknown option '--step'. Did you mean '--steps'"),
        (
            ["train", "--batchsize", "3"],
            "unknown option '--batchsize'. Did you mean '--batch_size'",
        ),
        (["train", "--qqq"], "unknown option '--qqq', see --help"),
        (["train", "wgan"], "unexpected 'wgan': options are given as --name=value"),
        (["train", "--steps=0"], "--steps: '0' is not a whole number from 1"),
        (["train", "--steps=1e3"], "--steps: '1e3' is not a whole number"),
        (["train", "--variant="], "--variant: '' names nothing"),
        (["train", "--dataset="], "--dataset: '' names nothing"),
        (["train", "--data_dir="], "--data_dir: '' names nothing"),
        (["train", "--run_dir="], "--run_dir: '' names nothing"),
        (["train", "--export_dir="], "--export_dir: '' names nothing"),
        (["train", "--init_from="], "--init_from: '' names nothing"),
        (["generate", "--model="], "--model: '' names nothing"),
        (["generate", "--model=x", "--out="], "--out: '' names nothing"),
        (["generate", "--model=x", "--out_dir="], "--out_dir: '' names nothing"),
        (["train", "--variant=zzz"], r"unknown variant 'zzz'\. See `tfgans list`"),
        (["train", "--seed=-1"], "--seed: '-1' is not a whole number from 0"),
        (["train", "--seed=2147483648"], "to 2147483647"),
        (["train", "--fit=crap"], "'crap' is not one of crop, resize. Did you mean 'crop'"),
        (["train", "--precision=float16"], "mixed_float16, auto. Did you mean"),
        (["train", "--image_size=0"], "'0' is not H or HxW in pixels, such as 64 or 64x48"),
        (["train", "--image_size=2x3x4"], "'2x3x4' is not H or HxW"),
        (["train", "--set", "gp_weight"], "'gp_weight' is not key=value"),
        (["train", "--set", "=3"], "'=3' is not key=value"),
        (["train", "--resume", "--run_dir=nowhere"], "'nowhere' holds no run"),
        (["generate", "--out=grid.png"], "required: --model"),
        (["generate", "--model=x"], "one of --out=grid.png, --out=pictures.npz, --out_dir=DIR"),
        (["generate", "--model=x", "--out=a.png", "--out_dir=b"], "say where to, one of"),
        (["generate", "--model=x", "--out=a.jpg"], r"--out=a.jpg must end in .png .* or .npz"),
        (["generate", "--model=x", "--out=a.png", "--num=0"], "--num: '0' is not"),
        (["generate", "--model=x", "--out=a.png", "--label=-1"], "--label: '-1' is not"),
        (["generate", "--model=x", "--out=a.png", "--truncation=0"], "'0' is not a number above"),
        (["generate", "--model=x", "--out=a.png", "--truncation=nan"], "'nan' is not a number"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words_are_told_in_one_line(words, says, main, tmp_path):
    assert_one_line(main(*words), says=says)
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written_are_told(main, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "grid.png").mkdir()
    cases = {
        "--out=file/grid.png": "cannot write 'file/grid.png'",
        "--out_dir=file": "cannot write 'file'",
        "--out=grid.png": "--out=grid.png is a folder; --out_dir=grid.png",
    }
    for word, says in cases.items():
        assert_one_line(main("generate", "--model=x", word), says=says)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (UsageError("bad\n  input"), 2, "^error: bad input$"),
        (TrainingError("loss is nan"), 1, "^error: loss is nan$"),
        (KeyboardInterrupt(), 130, "^interrupted$"),
        (KeyboardInterrupt("step 7: checkpoint saved"), 130, "^step 7: checkpoint saved$"),
        (OSError(errno.ENOSPC, "No space left on device", "x.json"), 1, "No space left.*x.json"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), 2, "name too long: xxx"),
    ],
    ids=repr,
)
def test_errors_give_their_exit_code(error, code, says, main, monkeypatch):
    def fail(arguments):
        raise error

    monkeypatch.setattr(cli.COMMANDS["list"], "run", fail)
    assert_one_line(main("list"), code, says)


def test_closed_streams_and_names_in_any_letters_are_no_error(run_python, tmp_path, monkeypatch):
    code = """
import os, sys
from tfgans import cli
cli.list_.run = lambda arguments: print("K\xe4tzchen")
sys.exit(cli.main(["list"]))
"""
    done = run_python("-c", code, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "K\\xe4tzchen\n", "")
    command = f"{sys.executable} -m tfgans list >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_bug_keeps_its_traceback(main, monkeypatch):
    def fail(arguments):
        raise OSError(errno.EBADF, "bug")

    monkeypatch.setattr(cli.COMMANDS["list"], "run", fail)
    with pytest.raises(OSError, match="bug"):
        main("list")


def test_sigterm_ends_like_ctrl_c(main, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)

    def terminated(arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr(cli.COMMANDS["list"], "run", terminated)
    assert_one_line(main("list"), 130, "terminated")
    assert signal.getsignal(signal.SIGTERM) is before


# Values.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-3", -3),
        ("1e-4", 1e-4),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("null", None),
        ("None", None),
        ("none", "none"),
        ("linear", "linear"),
        ("'1'", "1"),
        ("[64, 32]", [64, 32]),
        ("", ""),
        ("a=b", "a=b"),
        ("inf", math.inf),
        ("1e999", math.inf),
        ("1+2j", "1+2j"),
        ("{1}", "{1}"),
        ("__import__('os')", "__import__('os')"),
    ],
)
def test_values_are_read_by_their_look(text, value):
    key, read = parsing.setting(f"generator.width={text}")
    assert key == "generator.width"
    assert read == value
    assert type(read) is type(value)


def test_sets_are_gathered():
    words = ["train", "--set", "a=1", "b=x", "--seed=3", "--set", "a=2"]
    given = parsing.parse(cli._parser(), words)
    assert given.pop("options") == [("a", 1), ("b", "x"), ("a", 2)]
    assert given == {"command": "train", "seed": 3}


def test_only_what_is_given_is_passed_on():
    words = ["train", "--variant=gan", "--image_size=32x48", "--resume"]
    assert parsing.parse(cli._parser(), words) == {
        "command": "train",
        "variant": "gan",
        "image_size": (32, 48),
        "resume": True,
    }
