"""Two processes of `train.py` as workers: one folder, one export, and what the loss of one does."""

import json
import os
import pathlib
import shutil
import signal
import sys
import time

import numpy as np
import pytest
from test_replicas import as_workers, free_addresses

import tfgans
from tfgans import runs, training

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(600)]

TRAIN = pathlib.Path(__file__).resolve().parents[2] / "train.py"
STEPS, CHECKPOINT_EVERY = 40, 10
OPTIONS = (
    "--variant=wgan_gp",
    "--dataset=optdigits",
    "--batch_size=16",
    f"--steps={STEPS}",
    f"--checkpoint_every={CHECKPOINT_EVERY}",
    *("--set", "generator.width=16", "discriminator.width=16"),
)


class Workers:
    """Two real processes that train together in the run folder `folder/run`."""

    def __init__(self, folder, *words):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        places = [f"--run_dir={folder / 'run'}", f"--export_dir={folder / 'export'}", "--json"]
        command = [sys.executable, str(TRAIN), *words, *places]
        with open(folder / "said", "w") as said, open(folder / "errors", "w") as errors:
            self.processes = as_workers(command, free_addresses(2), stdout=said, stderr=errors)

    def finish(self, *codes):
        """Waits for both, which must end with these exit codes, and returns what they printed."""
        ended = [process.wait() for process in self.processes]
        said, errors = ((self.folder / name).read_text() for name in ("said", "errors"))
        assert ended == list(codes), errors
        return said, errors


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing happens to, and what it printed."""
    folder = tmp_path_factory.mktemp("workers") / "whole"
    said, errors = Workers(folder, *OPTIONS).finish(0, 0)
    return folder, said, errors


def test_only_the_chief_writes_and_prints(whole):
    folder, said, errors = whole
    assert said.count("\n") == 1
    result = json.loads(said)
    assert (result["run_dir"], result["steps"]) == (str(folder / "run"), STEPS)
    rows = runs.read_json_lines(folder / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(STEPS // 10, STEPS + 1, STEPS // 10))
    assert {path.name for path in folder.iterdir()} == {"run", "export", "said", "errors"}
    assert "Traceback" not in errors
    card = json.loads((folder / "export" / "card.json").read_text())
    assert (card["replicas"], card["weights_sha256"]) == (2, result["weights_sha256"])


def test_the_export_draws_what_the_run_does(whole):
    folder, _, _ = whole
    exported, trained = tfgans.load(folder / "export"), tfgans.load(folder / "run")
    assert trained.weights_sha256() == json.loads(whole[1])["weights_sha256"]
    pictures, others = (model.sample(8, seed=3).astype(int) for model in (exported, trained))
    assert abs(pictures - others).max() <= 1


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run of which one worker was killed, what the other printed, and how long that took."""
    folder = tmp_path_factory.mktemp("workers") / "killed"
    workers = Workers(folder, *OPTIONS)
    chief, other = workers.processes
    while not (folder / "run" / "checkpoints" / f"step-{CHECKPOINT_EVERY}.index").exists():
        assert chief.poll() is None, "ended before it was killed"
        time.sleep(0.01)
    os.kill(other.pid, signal.SIGKILL)
    begun = time.monotonic()
    chief.wait()
    return folder, *workers.finish(1, -signal.SIGKILL), time.monotonic() - begun


def test_a_lost_worker_ends_the_others_soon_and_in_one_line(killed):
    _, said, errors, seconds = killed
    assert seconds < 30
    assert said == ""
    assert "Traceback" not in errors
    told = [line for line in errors.splitlines() if "another worker is gone" in line]
    assert len(told) == 1
    assert "--resume" in told[0]


def test_all_go_on_from_the_checkpoint_to_the_same_weights(whole, killed, tmp_path):
    shutil.copytree(killed[0] / "run", tmp_path / "run")
    said, _ = Workers(tmp_path, "--resume").finish(0, 0)
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
