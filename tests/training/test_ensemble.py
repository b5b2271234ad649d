"""Specialists: each a run of its own, all exported as one SavedModel that routes by label."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfgans import UsageError, ensemble, registry, runs, saved

TINY = {"dataset": "digits", "image_size": 8, "batch_size": 8, "steps": 2}
TINY["options"] = dict(registry.load("acgan_ensemble").tiny)
GROUPS = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    result = ensemble.train(
        "acgan_ensemble", run_dir=folder / "run", export_dir=str(folder / "export"), **TINY
    )
    return folder, result


@pytest.fixture(scope="module")
def specialists(trained):
    exports = trained[0] / "run" / ensemble.EXPORTS
    return [saved.load_saved_model(exports / str(index)) for index in (0, 1)]


def test_classes_are_divided_and_each_part_has_a_run(trained, specialists):
    folder, _ = trained
    for index, group in enumerate(GROUPS):
        options = json.loads((folder / "run" / f"specialist-{index}" / "options.json").read_text())
        assert options["classes"] == group
        assert specialists[index].classes == group


def test_card_says_who_knows_what(trained, specialists):
    folder, result = trained
    card = json.loads((folder / "export" / "card.json").read_text())
    assert card["labels"] == list(range(10))
    assert [one["labels"] for one in card["specialists"]] == GROUPS
    assert [one["weights_sha256"] for one in card["specialists"]] == [
        specialist.card["weights_sha256"] for specialist in specialists
    ]
    assert card["weights_sha256"] == result.weights_sha256
    assert card["variant"] == "acgan_ensemble"
    assert (card["classes"], card["metrics"], card["steps"]) == (None, {}, 4)
    assert "/" not in json.dumps([card["dataset"], card["specialists"]])


def test_each_picture_is_its_specialists(trained, specialists):
    labels = np.array([7, 0, 9, 9, 3, 5, 1])
    pictures = trained[1].model.sample(7, seed=3, label=labels)
    for specialist in specialists:
        own = np.isin(labels, specialist.classes)
        wanted = specialist.sample(own.sum(), seed=3, label=labels[own])
        assert np.abs(pictures[own].astype(int) - wanted).max() <= 1


def test_images_of_latents_are_routed_too(trained, specialists):
    latents = np.random.default_rng(0).normal(size=(4, trained[1].model.latent_dim))
    labels = np.array([8, 2, 4, 6])
    images = trained[1].model.generate(latents, labels)
    for specialist in specialists:
        own = np.isin(labels, specialist.classes)
        np.testing.assert_allclose(
            images[own], specialist.generate(latents[own], labels[own]), atol=1e-6
        )


def test_one_specialist_may_have_nothing_to_do(trained):
    assert trained[1].model.sample(3, label=2).shape == (3, 8, 8, 1)


def test_labels_by_chance_are_of_all_and_prefix_stable(trained):
    module = tf.saved_model.load(str(trained[0] / "export"))
    pictures = module.sample(n=12, seed=1)["image"].numpy()
    assert np.abs(module.sample(n=5, seed=1)["image"].numpy().astype(int) - pictures[:5]).max() <= 1
    assert not np.array_equal(pictures, module.sample(n=12, seed=2)["image"])
    tamed = module.sample(n=12, seed=1, truncation=0.1)["image"].numpy()
    assert not np.array_equal(pictures, tamed)


def test_side_by_side_gives_the_same_and_a_run_is_gone_on_with(trained, tmp_path):
    result = ensemble.train(
        "acgan_ensemble",
        parallel=2,
        run_dir=tmp_path / "run",
        export_dir=str(tmp_path / "export"),
        **TINY,
    )
    assert result.weights_sha256 == trained[1].weights_sha256
    longer = ensemble.train("acgan_ensemble", run_dir=tmp_path / "run", resume=True, steps=3)
    assert longer.steps == 6
    assert longer.export_dir == tmp_path / "export"


def test_specialists_of_some_classes_and_their_newest_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {**TINY, "steps": 1}
    first = ensemble.train("acgan", specialists=2, classes=[1, 2], **given)
    card = json.loads((first.export_dir / "card.json").read_text("utf-8"))
    assert card["labels"] == card["classes"] == [1, 2]
    assert first.run_dir.name.startswith("0001-acgan-")
    assert runs.variant_of(first.run_dir) == "acgan"
    longer = ensemble.train("acgan", resume=True, steps=2)
    assert (longer.run_dir, longer.steps) == (first.run_dir, 4)
    # Killed now, it would be gone on with by the words of then.
    assert ensemble.train("acgan", run_dir=first.run_dir, resume=True).steps == 4
    plain = ensemble.train("acgan", classes=[1, 2], **given)
    assert ensemble.train("acgan", resume=True, steps=2).run_dir == plain.run_dir
    with pytest.raises(UsageError, match="no run of 2 specialists of 'acgan' to resume in"):
        ensemble.train("acgan", specialists=2, run_dir=plain.run_dir, resume=True, classes=[1, 2])
    with pytest.raises(UsageError, match="no run of 2 specialists of 'cgan' to resume under"):
        ensemble.train("cgan", specialists=2, resume=True, **given)
    (first.run_dir / "ensemble.json").write_text("[")
    with pytest.raises(UsageError, match=r"ensemble\.json' cannot be read"):
        ensemble.train("acgan", run_dir=first.run_dir, resume=True)


def test_a_refused_resumption_leaves_what_was_given_as_it_was(tmp_path):
    where = {"run_dir": tmp_path / "run", "export_dir": str(tmp_path / "export")}
    given = {**TINY, "steps": 1, "classes": [1, 2], "specialists": 2}
    ensemble.train("acgan", **where, **given)
    before = runs.read_json(tmp_path / "run" / "ensemble.json")
    with pytest.raises(UsageError, match=r"cannot resume with --batch_size=4 \(the run has 8\)"):
        ensemble.train("acgan", **where, resume=True, batch_size=4)
    assert runs.read_json(tmp_path / "run" / "ensemble.json") == before
    one_option = {"generator.width": TINY["options"]["generator.width"]}
    assert ensemble.train("acgan", **where, resume=True, options=one_option).steps == 2
    assert runs.read_json(tmp_path / "run" / "ensemble.json") == before


def test_specialists_on_two_replicas(tmp_path):
    words = [f"{key}={value}" for key, value in TINY["options"].items()]
    command = [sys.executable, str(pathlib.Path(__file__).parents[2] / "train.py")]
    command += ["--variant=acgan", "--specialists=2", "--classes=1,2", "--replicas=2", "--json"]
    command += ["--image_size=8", "--batch_size=8", "--steps=1", "--set", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    card = runs.read_json(tmp_path / "saved_models" / "acgan" / "card.json")
    assert (card["labels"], card["replicas"]) == ([1, 2], 2)


def test_specialists_are_not_for_several_machines(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFGANS_WORKERS", "localhost:1,localhost:2")
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    with pytest.raises(UsageError, match="specialists=2 are trained by one process"):
        ensemble.train("acgan", specialists=2, **TINY)
    assert not list(tmp_path.iterdir())


def test_a_failure_in_another_process_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {**TINY["options"], "g_optimizer.learning_rate": 1e30}
    with pytest.raises(Exception, match="step") as caught:
        ensemble.train("acgan_ensemble", parallel=2, **{**TINY, "steps": 8, "options": options})
    assert type(caught.value).__name__ == "TrainingError"


@pytest.mark.parametrize(
    ("variant", "given", "message"),
    [
        ("acgan_ensemble", {"specialists": 11}, "specialists=11 are more than the 10 classes"),
        ("acgan", {"specialists": 3, "classes": [1, 2]}, "specialists=3 are more than the 2"),
        ("dcgan", {"specialists": 2}, "specialists=2: dcgan takes no label to route by"),
        ("acgan", {"specialists": 0}, "specialists=0 must lie between 1"),
        ("acgan", {"specialists": 2, "steps": 0}, "steps=0 must lie between 1"),
        ("acgan", {"parallel": "x"}, "parallel='x' must be an int"),
    ],
)
def test_wrong_words(variant, given, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        ensemble.train(variant, **given)
    assert not list(tmp_path.rglob("*.json"))


def test_another_division_is_not_gone_on_with(trained):
    with pytest.raises(UsageError, match=r"has acgan_ensemble of the classes \[\[0, 1, 2, 3, 4\]"):
        ensemble.train(
            "acgan_ensemble", specialists=5, run_dir=trained[0] / "run", resume=True, steps=2
        )


def test_models_that_do_not_fit_are_not_joined(trained, tmp_path):
    exports = trained[0] / "run" / ensemble.EXPORTS
    with pytest.raises(UsageError, match="cannot be joined: shapes must be the same, labels not"):
        ensemble.join([exports / "0", exports / "0"], tmp_path / "joined")
    assert not (tmp_path / "joined").exists()
