"""The contenders of the benchmark play one game. PyTorch's part is in the benchmark's own check."""

import importlib
import types

import numpy as np
import pytest

from tfgans.data import rows

SCRIPTS = ("train_steps.py", "sampling.py", "folder_speed.py", "commands_speed.py")
SCRIPTS += ("ablations.py", "profile_steps.py")


@pytest.fixture(name="bench")
def _bench(repo, monkeypatch):
    monkeypatch.syspath_prepend(str(repo / "benchmarks"))
    names = {"run": "train_steps", "games": "peers.workloads", "child": "peers.child"}
    names |= {"process": "peers.process", "sampling": "sampling", "folder": "folder_speed"}
    return types.SimpleNamespace(**{k: importlib.import_module(v) for k, v in names.items()})


def facts_of(bench, contender, name, folder, **faults):
    played = bench.child.made(contender, name, str(folder), tiny=True)
    if contender == "ours":
        played.export()
    for key, value in faults.items():
        setattr(played.model, key, value)
    return bench.run.facts_of(lambda do: getattr(played, do)())


@pytest.mark.parametrize("name", ["mlp_gan", "wgan_gp", "dcgan64", "sngan_resnet"])
def test_ours_and_plain_keras_play_one_game(bench, name, tmp_path):
    bench.games.prepare(bench.games.WORKLOADS[name].tiny(), tmp_path)
    ours, plain = (facts_of(bench, one, name, tmp_path) for one in ("ours", "plain_keras"))
    compared = bench.run.compared(name, "plain_keras", plain, ours)
    assert compared["equal"], compared
    assert ours["flops"] > 0


def test_another_game_is_told_from_ours(bench, tmp_path):
    bench.games.prepare(bench.games.WORKLOADS["wgan_gp"].tiny(), tmp_path)
    ours = facts_of(bench, "ours", "wgan_gp", tmp_path)
    for fault in ({"gp_weight": 9.9}, {"d_steps": 1}):
        plain = facts_of(bench, "plain_keras", "wgan_gp", tmp_path, **fault)
        assert not bench.run.compared("wgan_gp", "plain_keras", plain, ours)["equal"], fault


@pytest.mark.parametrize("name", ["wgan_gp", "sngan_resnet"])
def test_undone_optimisations_leave_the_game_as_it_is(bench, name, tmp_path):
    bench.games.prepare(bench.games.WORKLOADS[name].tiny(), tmp_path)
    ours = facts_of(bench, "ours", name, tmp_path)
    options = types.SimpleNamespace(tiny=True)
    with bench.process.Child("all_of_these", name, str(tmp_path), options) as played:
        before = bench.run.facts_of(played.ask)
    compared = bench.run.compared(name, "all_of_these", before, ours)
    assert compared["equal"], compared
    assert before["flops"] > 1.1 * ours["flops"]


def test_saved_model_and_predict_give_the_same_pictures(bench, tmp_path):
    bench.games.prepare(bench.games.WORKLOADS["wgan_gp"].tiny(), tmp_path)
    ours = bench.child.made("ours", "wgan_gp", str(tmp_path), tiny=True)
    ours.export()
    ours.export_saved_model()
    saved, plain = (
        bench.child.made(one, "wgan_gp", str(tmp_path), tiny=True)
        for one in ("saved_model", "predict")
    )
    assert np.abs(np.array(saved.pictures(5)) - np.array(plain.pictures(5))).max() <= 1
    assert min(one.sampled(70) for one in (saved, plain)) > 0


def test_folder_readers_count(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", rows.MEMORY_LIMIT_BYTES)  # a reader changes it
    monkeypatch.setattr(bench.folder, "SECONDS", 0.1)
    folder = bench.folder.drawn(tmp_path / "jpegs", 80)
    for reader in ("ours", "ours_from_files", "keras"):
        assert bench.folder.READERS[reader](str(folder), 16)["pictures_per_s"] > 0, reader


def test_a_contender_that_fails_is_told_with_its_reason(bench, tmp_path):
    options = types.SimpleNamespace(tiny=True, torch_python="python-without-torch")
    with bench.process.Child("plain_keras", "mlp_gan", str(tmp_path), options) as process:
        for _ in range(2):
            with pytest.raises(bench.process.ContenderError, match=r"pictures\.npz|has ended"):
                process.ask("timed", count=1)


def test_table_stands_between_its_marks(bench):
    row = {"median_s": 0.25, "minimum_s": 0.2, "steps": 40, "to_fastest_peer": 0.5}
    failed = {"error": "ModuleNotFoundError: No module named 'torch'"}
    result = {"workloads": {"wgan_gp": {"contenders": {"ours": row, "pytorch": failed}}}}
    before, after = (f"{mark}\n" for mark in bench.process.marks("train_steps.py"))
    table = bench.run.table(result)
    written = bench.process.with_table(f"a\n{before}old\n{after}z\n", "train_steps.py", table)
    assert written.startswith(f"a\n{before}| workload |")
    assert "| `wgan_gp` | `ours` | 250.0 | 200.0 | 40 | 0.50 |\n" in written
    assert "No module named 'torch'" in written
    assert written.endswith(f"{after}z\n")
    assert bench.process.with_table(written, "train_steps.py", table) == written


def test_document_has_the_marks(repo, bench):
    text = (repo / "docs" / "performance.md").read_text(encoding="utf-8")
    for script in SCRIPTS:
        begin, end = bench.process.marks(script)
        assert text.count(begin) == 1
        assert end in text.split(begin)[1]
