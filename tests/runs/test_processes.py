"""Runs that are killed, interrupted, or out of disk go on as if nothing had happened.

Real processes of `train.py`, with as many threads as a user has.
"""

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys

import pytest
from folders import tree
from kill_and_resume import (
    CHECKPOINT_EVERY,
    STEPS,
    TRAIN,
    Training,
    exported_weights,
    kill_and_resume,
)

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(900)]

DISK = 8 * 2**20


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The run that nothing happens to."""
    training = Training(tmp_path_factory.mktemp("runs") / "reference")
    training.finish()
    return training


def assert_resumes(folder, reference):
    training = Training(folder, resume=True)
    result = training.finish()
    assert result["steps"] == STEPS
    assert result["weights_sha256"] == reference.finish()["weights_sha256"]
    assert training.logged_steps == reference.logged_steps
    assert exported_weights(folder) == exported_weights(reference.folder)


def test_the_result_is_one_line_of_json_and_each_step_is_logged_once(reference):
    assert reference.stdout.count("\n") == 1
    result = reference.finish()
    keys = {"run_dir", "export_dir", "steps", "weights_sha256", "metrics", "failures"}
    assert set(result) == keys
    assert result["steps"] == STEPS
    assert re.fullmatch("[0-9a-f]{64}", result["weights_sha256"])
    assert reference.logged_steps == list(range(STEPS // 10, STEPS + 1, STEPS // 10))
    assert "Traceback" not in reference.stderr


def test_killed_and_resumed_ends_in_the_same_weights(reference, tmp_path):
    said = []
    kill_and_resume(tmp_path / "killed", reference, kills=4, say=said.append)
    print("\n".join(said))
    assert len(said) == 7


def test_interrupted_and_terminated_after_a_checkpoint(reference, tmp_path):
    folder, reached = tmp_path / "interrupted", 0
    for number in (signal.SIGINT, signal.SIGTERM):
        training = Training(folder, resume=reached > 0)
        assert training.wait_for(lambda: max(training.logged_steps, default=0) > reached)  # noqa: B023
        training.process.send_signal(number)
        assert training.process.wait() == 130, training.stderr
        assert training.stdout == ""
        last = training.stderr.splitlines()[-1]
        match = re.match(rf"{number.name} at step (\d+); last good checkpoint: step (\d+), ", last)
        assert match, last
        assert match[1] == match[2] == str(training.checkpoint)
        assert reached < training.checkpoint < STEPS
        reached = training.checkpoint
    assert_resumes(folder, reference)


def test_a_run_is_trained_by_one_process_at_a_time(reference, tmp_path):
    folder = tmp_path / "held"
    training = Training(folder)
    assert training.wait_for(lambda: training.checkpoint)
    training.process.send_signal(signal.SIGSTOP)
    before = tree(training.run_dir)
    words = [sys.executable, TRAIN, "--resume", f"--run_dir={training.run_dir}"]
    second = subprocess.run(words, capture_output=True, text=True, check=False)
    assert second.returncode == 2, second.stderr
    last = second.stderr.splitlines()[-1]
    assert last == f"error: another process trains in '{training.run_dir}': wait, or stop it"
    assert tree(training.run_dir) == before
    training.process.kill()
    training.process.wait()
    assert_resumes(folder, reference)


def test_a_full_disk_ends_in_one_line_and_loses_nothing(reference, tmp_path):
    folder = tmp_path / "full"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        small = _mounted(folder / "run", stack)
        training = Training(folder)
        assert training.wait_for(lambda: training.checkpoint)
        with _full(training, small):
            assert training.process.wait() == 1, training.stderr
            last = training.stderr.splitlines()[-1]
            reason = "No space left on device" if small else "File too large"
            assert re.match(rf"error: step \d+: cannot write [\w. ]+: .*{reason}", last), last
            good = f"last good checkpoint: step {training.checkpoint}, "
            assert good in last
            assert "Traceback" not in training.stderr
            assert training.checkpoint % CHECKPOINT_EVERY == 0 < training.checkpoint < STEPS
            assert not training.writes_checkpoint, "half a checkpoint is left"
        assert_resumes(folder, reference)


def _mounted(folder, stack):
    """Makes `folder` a small disk of its own where we may; returns whether it is one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        return False
    stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
    return True


@contextlib.contextmanager
def _full(training, small):
    """Fills the disk, or where it is no small one, lets the process write no large file."""
    if not small:
        resource.prlimit(training.process.pid, resource.RLIMIT_FSIZE, (2**18, 2**18))
        yield
        return
    filler = training.run_dir / ".filler"
    with open(filler, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(2**16)):
                pass
        os.truncate(filler, max(0, filler.stat().st_size - 2**18))  # room for all but a checkpoint
    yield
    filler.unlink()
