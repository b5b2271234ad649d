"""The watch in runs: what it looks at, tells, writes, and when it ends a run or goes back."""

import json
import time

import driving
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tfgans
from tfgans import UsageError, callbacks, checkpoints, failures
from tfgans.cli import train as command
from tfgans.events import Events

REAL = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1)).astype(np.uint8)
# A generator's rate at which its pictures are all alike within a few steps.
FAILS = {
    "generator.width": 16,
    "discriminator.width": 16,
    "g_optimizer.learning_rate": 0.05,
    "d_optimizer.learning_rate": 0.01,
}
SOUND = {
    "generator.width": 64,
    "discriminator.width": 64,
    "discriminator.spectral_norm": True,
    **{f"{player}_optimizer.learning_rate": 0.002 for player in "gd"},
    **{f"{player}_optimizer.beta_1": 0.0 for player in "gd"},
}
SOON = {"dataset": "optdigits", "steps": 800, "batch_size": 8, "checkpoint_every": 100}


class Model:
    """What the watch sees of a model; its pictures are `scale` times as varied as real ones."""

    takes_label = False
    stop_training = False

    def __init__(self, scale=1.0):
        self.step = tf.Variable(0, dtype=tf.int64)
        self.scale = scale

    def draw_latent(self, n, seed, truncation):
        return tf.constant(REAL[:n], tf.float32) / 127.5 - 1.0

    def generate(self, latent, label=None):
        return self.scale * latent

    def reset_metrics(self):
        pass


def drive(watch, model, steps, logs=lambda step: {"grad_norm/generator": 1.0}):
    driving.drive([watch, watch.log], model, steps, logs)


def watching(folder, **given):
    log = callbacks.MetricsLog(folder / "metrics.jsonl", 1, Events(folder / "tensorboard"))
    return callbacks.CollapseWatch(log, 4, **{"steps": 100, "real": REAL, **given})


def rows_of(folder):
    return driving.rows_of(folder / "metrics.jsonl")


def spread(pictures):
    flat = pictures.reshape(len(pictures), -1).astype(float)
    pairs = [np.linalg.norm(a - b) for i, a in enumerate(flat) for b in flat[:i]]
    return np.mean(pairs)


def by_level(pictures):
    """Takes pictures for one of two classes, by their first number."""
    return np.eye(2)[(pictures[:, 0, 0, 0] > 127).astype(int)]


def test_variety_is_in_that_of_real_pictures(tmp_path):
    model = Model(0.5)
    drive(watching(tmp_path, classify=by_level), model, 8)
    looks = [row for row in rows_of(tmp_path) if failures.DIVERSITY in row]
    assert [row["step"] for row in looks] == [4, 8]
    pictures = np.round((0.5 * (REAL / 127.5 - 1.0) + 1.0) * 127.5).clip(0, 255)
    assert looks[0][failures.DIVERSITY] == pytest.approx(spread(pictures) / spread(REAL), rel=1e-4)
    assert looks[0][failures.ENTROPY] == pytest.approx(1.0, rel=1e-6)  # a sign halved is a sign


def test_real_pictures_of_one_class_have_no_entropy_to_compare(tmp_path):
    drive(watching(tmp_path, classify=lambda pictures: np.ones((len(pictures), 1))), Model(), 4)
    looks = [set(row) for row in rows_of(tmp_path) if row["step"] == 4 and len(row) < 4]
    assert {"step", "seconds", failures.DIVERSITY} in looks
    assert not any(failures.ENTROPY in row for row in looks)


def test_real_pictures_that_are_all_one_are_compared_with_nothing(tmp_path):
    """By rounding they are 1e-6 apart."""
    one = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    drive(watching(tmp_path, real=np.repeat(one, 8, axis=0)), Model(), 4)
    assert not any(failures.DIVERSITY in row for row in rows_of(tmp_path))


def test_pictures_of_one_class_are_compared_where_classes_are_asked_for(tmp_path):
    labels = np.array([0, 1, 2, 2, 3, 4, 4, 4])
    seen = []

    class Labelled(Model):
        """One prototype of each class."""

        takes_label = True

        def generate(self, latent, label):
            seen.append(label.numpy().tolist())
            return tf.gather(latent, label)

    drive(watching(tmp_path, labels=labels), Labelled(), 4)
    (look,) = [row for row in rows_of(tmp_path) if failures.DIVERSITY in row]
    assert look[failures.DIVERSITY] == 0.0
    assert seen == [labels.tolist()]
    drive(watching(tmp_path / "none", labels=np.arange(8)), Labelled(), 4)
    (look,) = [row for row in rows_of(tmp_path / "none") if failures.DIVERSITY in row]
    assert look[failures.DIVERSITY] == pytest.approx(1.0)  # no two of one class: of all


def gone_at_20(step):
    """Logs of a game whose generator learns nothing from step 20 on."""
    return {"grad_norm/generator": 1.0 if step < 20 else 1e-5, "d_accuracy": 0.99}


def test_a_failure_is_told_once_with_its_remedies(tmp_path, capsys):
    gone = watching(tmp_path)
    drive(gone, Model(), 60, gone_at_20)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("step 28: vanishing gradients: the generator's gradient has fallen")
    assert "Remedies: a Wasserstein loss (--variant=wgan_gp)" in line
    assert set(gone.findings) == {"vanishing gradients"}
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (text,) = events.Tensors("watch/failures")
    assert text.step == 28
    assert b"vanishing gradients" in text.tensor_proto.string_val[0]


@pytest.mark.parametrize(("on_collapse", "steps"), [("warn", 60), ("stop", 28), ("rewind", 28)])
def test_the_run_ends_at_the_next_look_if_it_is_asked_to(tmp_path, on_collapse, steps):
    model, heard = Model(), []

    def agree(flag):
        heard.append(flag)
        return flag

    watch = watching(tmp_path, on_collapse=on_collapse, agree=agree)
    drive(watch, model, 60, gone_at_20)
    assert int(model.step) == steps
    assert heard == ([] if on_collapse == "warn" else [False] * 6 + [True])


def test_what_a_resumed_run_has_told_is_not_told_again(tmp_path, capsys):
    watch = watching(tmp_path)
    logs = {"grad_norm/generator": 1.0}
    drive(watch, Model(), 60, gone_at_20)
    again = watching(tmp_path / "again", history=rows_of(tmp_path))
    assert again.findings == watch.findings
    capsys.readouterr()
    model = Model()
    model.step.assign(60)
    drive(again, model, 4, lambda step: logs)
    assert capsys.readouterr().err == ""


def test_without_its_looks_it_takes_less_than_a_hundredth_of_a_5_ms_step(tmp_path):
    log = callbacks.MetricsLog(tmp_path / "metrics.jsonl", 50)
    watch = callbacks.CollapseWatch(log, 1200, steps=30000, real=REAL)
    for one in (log, watch):
        one.set_model(Model())
        one.on_train_begin()
    logs = dict.fromkeys(("d_loss", "g_loss", "d_real", "d_fake", "d_accuracy"), 0.7)
    logs |= {"grad_norm/generator": 1.0, "grad_norm/discriminator": 1.0}
    start = time.perf_counter()
    for index in range(30000):
        watch.on_train_batch_end(index, logs)
    assert time.perf_counter() - start < 0.01 * 0.005 * 30000


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stopped")
    return folder, train(folder, on_collapse="stop", options=FAILS, **SOON)


def train(folder, **given):
    where = {"run_dir": folder / "run", "export_dir": folder / "export"}
    return tfgans.train("nsgan", **where, **given)


def test_a_run_that_fails_is_stopped_and_its_card_says_why(stopped):
    folder, result = stopped
    assert result.steps < SOON["steps"]
    card = json.loads((folder / "export" / "card.json").read_text("utf-8"))
    assert card["failures"] == result.failures
    assert card["steps"] == result.steps
    (first, *_) = result.failures
    assert first["failure"] == "mode collapse"
    assert first["since"] < first["step"] <= result.steps
    assert checkpoints.last_step(folder / "run") == result.steps
    printed = command._summary(result, as_json=False)
    assert f"failures mode collapse (step {first['step']})" in printed
    assert json.loads(command._summary(result, as_json=True))["failures"] == result.failures


def test_it_stays_stopped_and_goes_on_when_told_to_warn(stopped, tmp_path, capsys):
    folder, result = stopped
    again = train(folder, resume=True)
    said = capsys.readouterr().err
    assert "it has ended for mode collapse" in said
    assert "--on_collapse=warn goes on" in said
    assert (again.steps, again.failures) == (result.steps, result.failures)
    on = train(folder, resume=True, on_collapse="warn")
    assert on.steps == SOON["steps"]
    assert on.failures[: len(result.failures)] == result.failures
    through = train(tmp_path, options=FAILS, **SOON)
    assert on.weights_sha256 == through.weights_sha256
    assert on.failures == through.failures


def test_a_rewound_run_is_that_of_its_last_healthy_checkpoint(tmp_path, capsys):
    class Bad(failures.History):
        """Finds at step 600 what there was no sign of at step 390."""

        def read(self, row):
            if row["step"] < 600 or self.findings:
                return []
            finding = failures.Finding("mode collapse", row["step"], 390, "planted")
            self.findings = {"mode collapse": finding}
            return [finding]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failures, "History", Bad)
        judged = {"eval_every": 250, "eval_metrics": "mmd"}  # the best may be a later one
        result = train(tmp_path, on_collapse="rewind", options=SOUND, **judged, **SOON)
    assert result.steps == 300
    card = json.loads((tmp_path / "export" / "card.json").read_text("utf-8"))
    assert (card["steps"], card.get("best_step", 250)) == (300, 250)
    assert max(row["step"] for row in rows_of(tmp_path / "run")) == 300
    assert command._last_grid(tmp_path / "run", result.steps).name == "step-000280.png"
    assert f"back at step 300; go on with a remedy and --init_from='{tmp_path / 'run'}'" in (
        capsys.readouterr().err
    )
    assert checkpoints.last_step(tmp_path / "run") == 300
    healthy = train(tmp_path / "healthy", options=SOUND, **{**SOON, "steps": 300})
    assert card["last_weights_sha256"] == healthy.weights_sha256
    on = train(tmp_path, resume=True, on_collapse="warn")
    assert on.steps == 800
    assert on.failures == []


def test_where_no_checkpoint_is_healthy_all_are_kept(stopped):
    folder, _ = stopped
    assert checkpoints.forget_after(folder / "run", 0) is None
    assert checkpoints.last_step(folder / "run") is not None


def test_short_runs_are_not_watched(tmp_path, capsys):
    result = train(tmp_path, options=FAILS, **{**SOON, "steps": 799}, on_collapse="stop")
    assert "on_collapse=stop is without effect: a run below 800 steps" in capsys.readouterr().err
    assert result.failures == []
    assert not any(failures.DIVERSITY in row for row in rows_of(tmp_path / "run"))


def test_another_word_is_refused(tmp_path):
    with pytest.raises(UsageError, match="on_collapse='panic' must be one of warn, stop, rewind"):
        train(tmp_path, **SOON, on_collapse="panic")
