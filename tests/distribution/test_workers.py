"""Two processes of `train.py` as workers: one folder, one export, and what the loss of one does."""

import contextlib
import json
import pathlib
import re
import shutil
import sys
import time

import numpy as np
import pytest
from test_replicas import as_workers, free_addresses

import tfgans
from tfgans import checkpoints, runs, training

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(600)]

TRAIN = pathlib.Path(__file__).resolve().parents[2] / "train.py"
STEPS, CHECKPOINT_EVERY = 100, 10
EVALUATION = ("--eval_every=20", "--eval_metrics=mmd", "--eval_features=pixels", "--stop_when=9")
OPTIONS = (
    "--variant=wgan_gp",
    "--dataset=optdigits",
    "--batch_size=16",
    f"--steps={STEPS}",
    f"--checkpoint_every={CHECKPOINT_EVERY}",
    *EVALUATION,
    *("--set", "generator.width=16", "discriminator.width=16"),
    # With Adam's epsilon of 1e-7 the rounding of a gradient that is nearly 0 is a step of its own.
    *("g_optimizer.epsilon=1e-5", "d_optimizer.epsilon=1e-5"),
)


@contextlib.contextmanager
def running(folder, *words):
    """Two real processes that train together in the run folder `folder/run`, chief first."""
    folder.mkdir(exist_ok=True)
    places = [f"--run_dir={folder / 'run'}", f"--export_dir={folder / 'export'}", "--json"]
    command = [sys.executable, str(TRAIN), *words, *places]
    with (
        open(folder / "said", "w") as said,
        open(folder / "errors", "w") as errors,
        as_workers(command, free_addresses(2), stdout=said, stderr=errors) as processes,
    ):
        yield processes


def ended(folder, processes):
    """Waits for both; returns their exit codes and what they printed."""
    codes = [process.wait(timeout=200) for process in processes]
    return codes, (folder / "said").read_text(), (folder / "errors").read_text()


def finished(folder, *words):
    """Runs both to their good end; returns what they printed."""
    with running(folder, *words) as processes:
        codes, said, errors = ended(folder, processes)
    assert codes == [0, 0], errors
    return said, errors


def wait_for_a_checkpoint(folder, processes):
    while not (folder / "run" / "checkpoints" / f"step-{CHECKPOINT_EVERY}.index").exists():
        assert all(process.poll() is None for process in processes), "ended too early"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing happens to, and what it printed."""
    folder = tmp_path_factory.mktemp("workers") / "whole"
    return folder, *finished(folder, *OPTIONS)


def test_only_the_chief_writes_and_prints(whole):
    folder, said, errors = whole
    assert said.count("\n") == 1
    result = json.loads(said)
    assert (result["run_dir"], result["steps"]) == (str(folder / "run"), STEPS)
    rows = runs.read_json_lines(folder / "run" / "metrics.jsonl")
    logged = [row["step"] for row in rows if "d_loss" in row]
    assert logged == list(range(STEPS // 10, STEPS + 1, STEPS // 10))
    assert [row["step"] for row in rows if "d_loss" not in row] == list(range(20, STEPS + 1, 20))
    assert {path.name for path in folder.iterdir()} == {"run", "export", "said", "errors"}
    assert "Traceback" not in errors
    card = json.loads((folder / "export" / "card.json").read_text())
    assert (card["replicas"], card["weights_sha256"]) == (2, result["weights_sha256"])


def test_the_export_draws_what_the_run_does(whole):
    folder, _, _ = whole
    exported, trained = tfgans.load(folder / "export"), tfgans.load(folder / "run")
    assert trained.weights_sha256() == json.loads(whole[1])["weights_sha256"]
    best = checkpoints.manager(trained, folder / "run", checkpoints.BEST)
    assert checkpoints.restore(best)
    pictures, others = (model.sample(8, seed=3).astype(int) for model in (exported, trained))
    assert abs(pictures - others).max() <= 1


@pytest.fixture(scope="module", params=["chief", "other"])
def killed(request, tmp_path_factory):
    """A run of which one worker was killed, the other's code and words, and how long that took."""
    folder = tmp_path_factory.mktemp("workers") / "killed"
    with running(folder, *OPTIONS) as processes:
        wait_for_a_checkpoint(folder, processes)
        victim, left = processes if request.param == "chief" else reversed(processes)
        victim.kill()
        begun = time.monotonic()
        code = left.wait(timeout=200)
        seconds = time.monotonic() - begun
        _, said, errors = ended(folder, processes)
    return folder, code, said, errors, seconds


def test_a_lost_worker_ends_the_others_soon_and_in_one_line(killed):
    _, code, said, errors, seconds = killed
    assert seconds < 30
    assert (code, said) == (1, "")
    assert "Traceback" not in errors
    told = [line for line in errors.splitlines() if "another worker is gone" in line]
    assert len(told) == 1
    assert "--resume" in told[0]


def test_all_go_on_from_the_checkpoint_to_the_same_weights(whole, killed, tmp_path):
    shutil.copytree(killed[0] / "run", tmp_path / "run")
    said, _ = finished(tmp_path, "--resume")
    assert json.loads(said)["weights_sha256"] == json.loads(whole[1])["weights_sha256"]


def test_one_replica_goes_on_from_the_checkpoint_of_two(whole, killed, tmp_path):
    shutil.copytree(killed[0] / "run", tmp_path / "run")
    places = {"run_dir": tmp_path / "run", "export_dir": str(tmp_path / "export")}
    done = training.train("wgan_gp", **places, resume=True, strategy="one")
    assert done.steps == STEPS
    two, one = tfgans.load(whole[0] / "run").state(), done.model.state()
    for name, variable in one.items():
        if name.startswith(("generator", "discriminator")):
            np.testing.assert_allclose(variable, two[name], rtol=0, atol=1e-4, err_msg=name)


def test_a_signal_to_all_ends_all_after_a_checkpoint(tmp_path):
    with running(tmp_path, *OPTIONS) as processes:
        wait_for_a_checkpoint(tmp_path, processes)
        for process in reversed(processes):  # the chief is the last to hear of it
            process.terminate()
            time.sleep(0.2)
        codes, said, errors = ended(tmp_path, processes)
    assert (codes, said) == ([130, 130], ""), errors
    assert "Traceback" not in errors
    last = re.search(r"SIGTERM at step (\d+); last good checkpoint: step (\d+)", errors)
    assert last[1] == last[2]


def test_workers_that_would_train_different_things_are_refused(tmp_path):
    sweep = ["sh", "-c", 'exec "$@" --seed=$JOB_COMPLETION_INDEX', "sh"]
    command = [*sweep, sys.executable, str(TRAIN), *OPTIONS]
    with (
        open(tmp_path / "errors", "w") as errors,
        as_workers(command, free_addresses(2), stderr=errors, cwd=tmp_path) as processes,
    ):
        assert [process.wait(timeout=200) for process in processes] == [2, 2]
    told = (tmp_path / "errors").read_text()
    assert told.count("worker 1 has other options, data or versions than worker 0") == 2
    assert not (tmp_path / "runs").exists()
