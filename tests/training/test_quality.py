"""Evaluations on the way: what is logged, which checkpoint is kept and exported, when it ends."""

import json
import math
import shutil

import numpy as np
import pytest

import tfgans
from tfgans import checkpoints, evaluation, factory, features, oversight, quality, runs
from tfgans.callbacks import MetricsLog
from tfgans.checkpoints import Checkpoints

KEY = "eval/fid50_digits_cnn"
TINY = {"generator.width": 16, "discriminator.width": 16}


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch):
    monkeypatch.setattr(oversight, "EVAL_PICTURES", 50)


def train(folder, steps, **given):
    return tfgans.train(
        "nsgan",
        run_dir=folder / "run",
        export_dir=folder / "export",
        **({"options": TINY, "batch_size": 10, "eval_every": 5} if "resume" not in given else {}),
        steps=steps,
        **given,
    )


def evaluations(folder):
    rows = runs.read_json_lines(folder / "run" / "metrics.jsonl")
    return [(row["step"], row[KEY]) for row in rows if KEY in row]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that is evaluated at steps 5, 10, 15 and 20."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oversight, "EVAL_PICTURES", 50)
        train(folder, 20, eval_metrics="fid,kid")
    return folder


def test_figures_are_logged_beside_the_losses(whole):
    found = evaluations(whole)
    assert [step for step, _ in found] == [5, 10, 15, 20]
    rows = runs.read_json_lines(whole / "run" / "metrics.jsonl")
    assert all(row[KEY] > 0 and "eval/kid50_digits_cnn" in row for row in rows if KEY in row)
    assert "d_loss" in rows[-1]
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)


def test_the_best_checkpoint_is_kept_and_is_what_is_exported(whole):
    best = min(evaluations(whole), key=lambda row: row[1])[0]
    card = json.loads((whole / "export" / "card.json").read_text("utf-8"))
    assert card["best_step"] == best
    assert card["steps"] == 20
    model = factory.load(whole / "run")
    assert int(model.step) == 20
    assert model.weights_sha256() == card["last_weights_sha256"] != card["weights_sha256"]
    assert checkpoints.restore(checkpoints.manager(model, whole / "run", checkpoints.BEST))
    assert int(model.step) == best
    assert model.weights_sha256() == card["weights_sha256"]
    exported = tfgans.load(whole / "export").sample(5)
    assert np.abs(exported.astype(int) - model.sample(5)).max() <= 1


def test_a_resumed_run_is_judged_as_one_never_stopped(whole, tmp_path):
    train(tmp_path, 10)
    train(tmp_path, 20, resume=True)
    assert evaluations(tmp_path) == evaluations(whole)
    cards = [
        json.loads((folder / "export" / "card.json").read_text("utf-8"))
        for folder in (tmp_path, whole)
    ]
    assert cards[0]["best_step"] == cards[1]["best_step"]
    for key in ("weights_sha256", "last_weights_sha256"):
        assert cards[0][key] == cards[1][key]


def test_a_run_that_no_longer_improves_ends_and_stays_ended(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(evaluation.METRICS, "fid", evaluation.Metric("fid", lambda *_: 7.0))
    result = train(tmp_path, 40, stop_when=2)
    assert result.steps == 15
    assert "step 15: no better fid in 2 evaluations: the run ends" in capsys.readouterr().err
    card = json.loads((tmp_path / "export" / "card.json").read_text("utf-8"))
    assert (card["steps"], card["best_step"]) == (15, 5)
    assert train(tmp_path, 40, resume=True).steps == 15
    assert train(tmp_path, 40, resume=True, stop_when=0).steps == 40


def test_where_the_best_checkpoint_is_lost_the_next_one_is_kept(tmp_path):
    train(tmp_path, 10)
    shutil.rmtree(tmp_path / "run" / "best")
    train(tmp_path, 20, resume=True)
    card = json.loads((tmp_path / "export" / "card.json").read_text("utf-8"))
    assert card["best_step"] in (15, 20)


def test_a_best_checkpoint_that_is_ahead_of_a_resumed_run_is_forgotten(whole, tmp_path):
    model = factory.load(whole / "run")
    manager = checkpoints.manager(model, tmp_path, checkpoints.BEST)
    for step in (10, 20):
        manager.save(checkpoint_number=step)
    for step, left in ((20, "step-20"), (19, "step-10"), (9, None)):
        checkpoints.forget_best_after(tmp_path, step)
        newest = checkpoints.manager(model, tmp_path, checkpoints.BEST).latest_checkpoint
        assert newest == (left and str(tmp_path / "best" / left))


def quality_of(name, patience, values):
    pixels = features.open_features("pixels")
    real = evaluation.Sample.of(np.zeros((5, 2, 2, 1), np.uint8), pixels)
    reference = evaluation.Reference(real, real, real, "train", pixels)
    key = f"eval/{evaluation.protocol(name, 5, reference)}"
    rows = [{"step": 0, "d_loss": 1.0, "eval/fid5_other": -9.0}]
    for step, value in enumerate(values):
        fields = value if isinstance(value, dict) else {"value": value}
        rows.append({"step": step, **evaluation.figures_of(key, fields)})
    log = MetricsLog("unused", 1)
    return quality.Quality(
        reference, [name], 1, log, Checkpoints(), patience=patience, history=rows
    )


@pytest.mark.parametrize(
    ("name", "values", "lowest", "stale"),
    [
        ("fid", [9.0, 4.0, 5.0, 6.0], 4.0, 2),
        ("kid", [0.1, -0.1, 0.0], -0.1, 1),
        ("inception_score", [1.0, 3.0, 2.0], -3.0, 1),
        # One picture over and over is no best one; rows without what decides do not count.
        (
            "one_nn_accuracy",
            [
                {"value": 0.6, "real": 0.55, "fake": 0.65},
                {"value": 0.5, "real": 0.0, "fake": 1.0},
                {"value": 0.5},
            ],
            0.15,
            1,
        ),
        (
            "precision_recall",
            [{"value": 0.5, "recall": 0.5, "f1": 0.5}, {"value": 1.0, "recall": 0.0, "f1": 0.0}],
            -0.5,
            1,
        ),
        (
            "density_coverage",
            [{"value": 0.9, "coverage": 0.8}, {"value": 4.0, "coverage": 0.02}],
            -0.8,
            1,
        ),
        ("mode_coverage", [{"value": 10, "kl": 0.2}, {"value": 10, "kl": 0.1}], 0.1, 0),
        ("fid", [], math.inf, 0),
        ("fid", [math.nan, math.nan], math.inf, 2),
    ],
)
def test_better_is_by_the_metric_and_what_was_logged_counts(name, values, lowest, stale):
    judge = quality_of(name, 2, values)
    assert judge.lowest == pytest.approx(lowest)
    assert judge.stale == stale
    assert judge.finished == (stale >= 2)
    assert not quality_of(name, 0, values).finished


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stop_when": 3, "eval_every": 0}, "stop_when=3 counts evaluations: give eval_every too"),
        ({"eval_metrics": "fdi"}, "unknown metric 'fdi'. Did you mean 'fid'"),
        ({"eval_every": -1}, "eval_every=-1 must lie between 0"),
        ({"eval_features": "nope"}, "features='nope' is no known network"),
        (
            {"eval_features": "pixels", "eval_metrics": "inception_score"},
            "inception_score takes features that classify",
        ),
    ],
)
def test_wrong_options_are_refused_before_training(tmp_path, given, message):
    with pytest.raises(tfgans.UsageError, match=message):
        tfgans.train("nsgan", run_dir=tmp_path / "run", steps=2, **{"eval_every": 1, **given})
    assert not (tmp_path / "run").exists()
