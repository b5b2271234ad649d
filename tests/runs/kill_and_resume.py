"""Kills a real training again and again with SIGKILL, resumes it, and compares the end.

    python tests/runs/kill_and_resume.py --kills=8 --log=FILE

One run is never killed. Another of the same options is killed at random moments: while it starts,
between two steps, while it writes a checkpoint. Each time it goes on with `--resume`. Both must end
in the same weights, bit for bit, and the log of the killed one must hold each step once.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

TRAIN = pathlib.Path(__file__).resolve().parents[2] / "train.py"
STEPS, CHECKPOINT_EVERY = 60, 7
OPTIONS = (
    "--variant=wgan_gp",
    "--dataset=optdigits",
    "--batch_size=32",
    f"--steps={STEPS}",
    f"--checkpoint_every={CHECKPOINT_EVERY}",
    *("--set", "generator.width=32", "discriminator.width=16"),
)
MOMENTS = ("start", "step", "checkpoint")
POLL = 0.002


class Training:
    """A real process of `train.py` in a run folder of its own.

    Args:
        folder: Gets `run`, `export`, and what the process says.
        resume: Whether it goes on with the run; only then are the options left out.
    """

    def __init__(self, folder, *, resume=False):
        self.folder, self.run_dir = folder, folder / "run"
        folder.mkdir(exist_ok=True)
        words = ["--resume"] if resume else [*OPTIONS, f"--export_dir={folder / 'export'}"]
        # What a user has: the tests' one thread would hide what threads do to each other.
        env = {key: value for key, value in os.environ.items() if not key.startswith("TF_NUM_")}
        self.started, self.started_at = time.perf_counter(), time.time()
        with open(folder / "stdout", "w") as stdout, open(folder / "stderr", "w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, TRAIN, *words, f"--run_dir={self.run_dir}", "--json"],
                stdout=stdout,
                stderr=stderr,
                env=env,
            )

    @property
    def seconds(self):
        """Time since the process was started."""
        return time.perf_counter() - self.started

    @property
    def stdout(self):
        """What it has printed as its result."""
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self):
        """What it has printed beside."""
        return (self.folder / "stderr").read_text()

    @property
    def logged_steps(self):
        """Steps of the rows of `metrics.jsonl`."""
        path = self.run_dir / "metrics.jsonl"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line)["step"] for line in lines]

    @property
    def checkpoint(self):
        """Step of the newest checkpoint, 0 where there is none."""
        with contextlib.suppress(OSError, IndexError):
            text = (self.run_dir / "checkpoints" / "checkpoint").read_text()
            return int(text.split('"')[1].rpartition("-")[2])
        return 0

    @property
    def writes_checkpoint(self):
        """Whether it has begun a checkpoint that is not finished."""
        newest = self.checkpoint
        with contextlib.suppress(OSError):  # files come and go
            for path in (self.run_dir / "checkpoints").iterdir():
                step = re.match(r"step-(\d+)[._]", path.name)
                if step and int(step[1]) > newest and path.stat().st_mtime >= self.started_at:
                    return True
        return False

    def wait_for(self, condition):
        """Waits until `condition()` holds; returns whether the process was still running then."""
        while self.process.poll() is None and not condition():
            time.sleep(POLL)
        return self.process.poll() is None

    def finish(self):
        """Waits for the end and returns the JSON line of the result."""
        self.process.wait()
        assert self.process.returncode == 0, self.stderr
        return json.loads(self.stdout)

    def kill(self):
        """Kills it as nothing can prevent."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def exported_weights(folder):
    """SHA-256 of the weights in the export of the run in `folder`."""
    path = folder / "export" / "variables" / "variables.data-00000-of-00001"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def kill_and_resume(folder, reference, *, kills, seed=0, say=print):
    """Kills a run `kills` times and resumes it until it is done.

    Args:
        folder: Where to run.
        reference: The `Training` that was never killed, finished.
        kills: How often to kill.
        seed: Decides the moments.
        say: Takes the lines of the log.

    Returns:
        The JSON result of the last process.

    Raises:
        AssertionError: If the two runs end differently.
    """
    draw = random.Random(seed)
    wanted = json.loads(reference.stdout)
    say(f"never killed: {wanted['steps']} steps, weights_sha256 {wanted['weights_sha256']}")
    for number in range(kills):
        training = Training(folder, resume=number > 0 and (folder / "run/options.json").exists())
        moment = MOMENTS[(number + 1) % len(MOMENTS)]
        alive = _wait_until(training, moment, (number + draw.random()) / kills, draw)
        assert alive, f"done before it could be killed: {training.stderr}"
        unfinished = training.writes_checkpoint
        training.kill()
        say(
            f"kill {number + 1} ({moment}) {training.seconds:.2f} s after its start: logged up to "
            f"step {max(training.logged_steps, default=0)}, checkpoint {training.checkpoint}"
            f"{', another one half written' if unfinished else ''}"
        )
    training = Training(folder, resume=True)
    result = training.finish()
    say(f"killed {kills} times: {result['steps']} steps, weights_sha256 {result['weights_sha256']}")
    assert result["weights_sha256"] == wanted["weights_sha256"], "other weights"
    assert training.logged_steps == reference.logged_steps, training.logged_steps
    assert exported_weights(folder) == exported_weights(reference.folder), "other exports"
    say(f"same weights, same exported bytes; logged steps {training.logged_steps}")
    return result


def _wait_until(training, moment, share, draw):
    """Waits for the moment; `share` says how far into the run. Returns whether it still runs."""
    if moment == "start":
        seconds, before = 8 * draw.random(), training.checkpoint
        return training.wait_for(lambda: training.seconds > seconds or training.checkpoint > before)
    step = share * (STEPS - 2 * CHECKPOINT_EVERY)
    if moment == "checkpoint":
        return training.wait_for(
            lambda: training.writes_checkpoint and training.checkpoint >= step - CHECKPOINT_EVERY
        )
    alive = training.wait_for(lambda: max(training.logged_steps, default=0) >= step)
    time.sleep(0.05 * draw.random())
    return alive and training.process.poll() is None


def main():
    """Runs the test by hand, and writes its log."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=8, help="how often to kill; default 8")
    parser.add_argument("--seed", type=int, default=0, help="decides the moments; default 0")
    parser.add_argument("--log", help="file that gets the log; default none")
    arguments = parser.parse_args()
    lines = []

    def say(line):
        lines.append(line)
        print(line, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        say(f"python train.py {' '.join(OPTIONS)}")
        reference = Training(folder / "reference")
        reference.finish()
        kill_and_resume(
            folder / "killed", reference, kills=arguments.kills, seed=arguments.seed, say=say
        )
    if arguments.log:
        pathlib.Path(arguments.log).write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main()
