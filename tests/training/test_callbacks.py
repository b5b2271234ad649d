import io
import itertools
import math
import os
import resource
import signal
import threading
import time
from contextlib import contextmanager
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf
from driving import LOGS, drive, rows_of
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tfgans
from tfgans import TrainingError, callbacks, images, registry
from tfgans import checkpoints as checkpoints_
from tfgans import events as events_


class Model:
    """What the callbacks see of a model, without the seconds that a real one takes."""

    logs = ("d_loss", "g_loss")
    optimizes = ("g_optimizer",)

    def __init__(self, step=0):
        self.step = tf.Variable(step, dtype=tf.int64)
        self.g_optimizer = keras.optimizers.Adam(0.25)
        self.resets = 0

    def reset_metrics(self):
        self.resets += 1

    def sample(self, n, seed):
        return np.full((n, 4, 4, 1), int(self.step) % 256, np.uint8)


class Labelled(Model):
    """One that makes pictures whose level is their class."""

    takes_label = True
    classes: ClassVar = [*range(0, 40, 2)]

    def sample(self, n, seed, label):
        assert len(label) == n
        return np.full((n, 4, 4, 1), 0, np.uint8) + np.uint8(label)[:, None, None, None]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def read_events(folder):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    events.Reload()
    return events


@contextmanager
def small_files(num_bytes):
    """A disk on which no file grows beyond `num_bytes`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def manager(model, tmp_path):
    checkpoint = tf.train.Checkpoint(step=model.step, ballast=tf.Variable(tf.zeros(5000)))
    return tf.train.CheckpointManager(checkpoint, str(tmp_path / "checkpoints"), max_to_keep=2)


@pytest.fixture
def checkpoints(manager):
    return checkpoints_.Checkpoints(manager)


# Together, with a real model.


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 5 steps by `fit`, then resumed at step 4 and run to step 9."""
    constant = {f"{name}.schedule": "constant" for name in ("g_optimizer", "d_optimizer")}
    options = {**registry.load("wgan_gp").tiny, **constant}
    model = tfgans.create("wgan_gp", tfgans.DataSpec((8, 8, 1)), **options)
    run_dir, batch = tmp_path_factory.mktemp("run"), 4 * model.batches_per_step
    pictures = np.random.default_rng(0).uniform(-1, 1, (batch, 8, 8, 1)).astype(np.float32)
    data = tf.data.Dataset.from_tensors({"image": pictures}).repeat()
    checkpoint = tf.train.Checkpoint(**{k.replace("/", "_"): v for k, v in model.state().items()})
    manager = tf.train.CheckpointManager(checkpoint, str(run_dir / "checkpoints"), max_to_keep=2)
    shared = {"images_per_step": batch, "log_every": 2, "sample_every": 2, "checkpoint_every": 2}
    stream = io.StringIO()
    for start, steps in ((0, 5), (4, 9)):
        if start:
            checkpoint.restore(str(run_dir / "checkpoints" / "ckpt-4"))
        made = callbacks.run_callbacks(
            run_dir,
            manager,
            steps=steps,
            start_step=start,
            seconds=100.0 * start,
            options={"variant": "wgan_gp", "options": {"a|b": 1}},
            stream=stream,
            **shared,
        )
        with callbacks.running(made):
            model.fit(data, steps_per_epoch=steps - start, callbacks=made, verbose=0)
    return model, run_dir, stream.getvalue()


def test_a_run_leaves_its_files(run):
    model, run_dir, text = run
    names = {path.name for path in (run_dir / "samples").iterdir()}
    assert names == {f"step-00000{step}.png" for step in (2, 4, 5, 6, 8, 9)} | {"training.gif"}
    checkpoints = {path.stem for path in (run_dir / "checkpoints").glob("*.index")}
    assert checkpoints == {"ckpt-8", "ckpt-9"}
    rows = rows_of(run_dir / "metrics.jsonl")
    assert [row["step"] for row in rows] == [2, 4, 5, 6, 8, 9]
    assert all(set(row) == {"step", "seconds", *model.all_logs} for row in rows)
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)
    assert seconds[2] < 100 < 400 < seconds[3]
    assert "step 5/5 (100 %)" in text
    assert "step 5/9 (55 %)" in text


def test_tensorboard_shows_all_and_forgets_what_a_resume_undid(run):
    model, run_dir, _ = run
    events = read_events(run_dir / "tensorboard")
    rates = {"learning_rate/g_optimizer", "learning_rate/d_optimizer", "train/steps_per_second"}
    logs = {name if "/" in name else f"train/{name}" for name in model.all_logs}
    assert set(events.Tags()["scalars"]) == {*logs, *rates}
    judged = {"train/d_real", "train/d_fake", "train/d_accuracy"}
    assert {*judged, "grad_norm/generator"} <= logs
    assert [event.step for event in events.Scalars("train/d_loss")] == [2, 4, 6, 8, 9]
    assert [event.step for event in events.Images("samples")] == [2, 4, 6, 8, 9]
    assert len(list((run_dir / "tensorboard").iterdir())) == 2  # one a start
    rows = {row["step"]: row for row in rows_of(run_dir / "metrics.jsonl")}
    for event in events.Scalars("train/gradient_penalty"):
        assert event.value == pytest.approx(rows[event.step]["gradient_penalty"], rel=1e-6)
    rate = events.Scalars("learning_rate/g_optimizer")[0].value
    assert rate == pytest.approx(float(model.g_optimizer.learning_rate))
    text = events.Tensors("options")[0].tensor_proto.string_val[0].decode()
    assert "| variant | wgan_gp |" in text
    assert "| options.a\\|b | 1 |" in text
    image = events.Images("samples")[0]
    with Image.open(run_dir / "samples" / "step-000002.png") as picture:
        assert (image.width, image.height) == picture.size
    assert image.encoded_image_string == (run_dir / "samples" / "step-000002.png").read_bytes()


def test_the_same_noise_gives_the_same_grid(run, tmp_path):
    model, run_dir, _ = run
    grid = callbacks.SampleGrid(tmp_path, 1)
    grid.set_model(model)
    grid.on_train_begin()
    grid._draw()  # the weights are those of step 9 still
    last = run_dir / "samples" / "step-000009.png"
    assert (tmp_path / "step-000009.png").read_bytes() == last.read_bytes()


def test_all_callbacks_take_at_most_a_hundredth_of_a_50_ms_step(model, manager, tmp_path):
    logs = {f"term_{index}": 0.5 for index in range(10)}
    shared = {"log_every": 10**9, "sample_every": 10**9, "checkpoint_every": 10**9}
    for stream in (Terminal(), io.StringIO()):
        made = callbacks.run_callbacks(
            tmp_path, manager, steps=10**9, images_per_step=64, stream=stream, **shared
        )
        with callbacks.running(made):
            for callback in made:
                callback.set_model(model)
                callback.on_train_begin()
            times = []
            for index in range(2000):
                start = time.perf_counter()
                for callback in made:
                    callback.on_train_batch_end(index, logs)
                times.append(time.perf_counter() - start)
        assert np.mean(np.sort(times)[:-20]) < 0.01 * 0.05


# One by one.


def test_metrics_log_writes_rows_and_begins_the_means_anew(model, tmp_path):
    log = callbacks.MetricsLog(tmp_path / "new" / "metrics.jsonl", 3, seconds=50.0)
    drive([log], model, 7, lambda step: {"d_loss": step / 3})
    rows = rows_of(tmp_path / "new" / "metrics.jsonl")
    assert [(row["step"], row["d_loss"]) for row in rows] == [(3, 1.0), (6, 2.0), (7, 2.333333)]
    assert all(50.0 <= row["seconds"] < 60.0 for row in rows)
    assert model.resets == 3


def test_metrics_log_reads_rates_that_replicas_share(model, tmp_path):
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model.g_optimizer = keras.optimizers.Adam(0.125)
    log = callbacks.MetricsLog(tmp_path / "m.jsonl", 1, events_.Events(tmp_path / "events"))
    drive([log], model, 1)
    (rate,) = read_events(tmp_path / "events").Scalars("learning_rate/g_optimizer")
    assert rate.value == 0.125


def test_metrics_log_has_no_second_row_for_the_last_step(model, tmp_path):
    drive([callbacks.MetricsLog(tmp_path / "metrics.jsonl", 3)], model, 6)
    assert [row["step"] for row in rows_of(tmp_path / "metrics.jsonl")] == [3, 6]


def test_metrics_log_says_null_of_what_is_no_number(model, tmp_path):
    log = callbacks.MetricsLog(tmp_path / "metrics.jsonl", 1)
    drive([log], model, 1, {"d_loss": math.nan, "g_loss": math.inf})
    (row,) = rows_of(tmp_path / "metrics.jsonl")
    assert (row["d_loss"], row["g_loss"]) == (None, None)


def test_a_full_disk_cuts_half_a_row_off_the_log(checkpoints, model, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n')
    checkpoints.save(1)
    log = callbacks.MetricsLog(path, 2, checkpoints=checkpoints)
    message = r"step 2: cannot write metrics.jsonl: File too large; last good .*: step 1, .*ckpt-1$"
    with small_files(30), pytest.raises(TrainingError, match=message):
        drive([log], model, 2)
    assert rows_of(path) == [{"step": 1}]


def test_a_torn_event_file_of_a_killed_run_does_no_harm(tmp_path):
    events = events_.Events(tmp_path)
    for step in (1, 2, 3):
        events.scalars(step, {"loss": float(step)})
    events.close()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    resumed = events_.Events(tmp_path, start_step=1)
    resumed.scalars(2, {"loss": 20.0})
    resumed.close()
    read = [(event.step, event.value) for event in read_events(tmp_path).Scalars("loss")]
    assert read == [(1, 1.0), (2, 20.0)]


def test_a_run_that_starts_anew_forgets_what_it_wrote(tmp_path):
    for value in (1.0, 2.0):
        events = events_.Events(tmp_path)
        for step in (1, 2, 3):
            if value == 1.0 or step == 2:
                events.scalars(step, {"loss": value})
        events.close()
    read = [(event.step, event.value) for event in read_events(tmp_path).Scalars("loss")]
    assert read == [(2, 2.0)]


def test_sample_grid_draws_what_it_is_told_to(model, tmp_path):
    draw = lambda model: np.full((2, 5, 5, 3), 9, np.uint8)  # noqa: E731
    drive([callbacks.SampleGrid(tmp_path, 2, draw=draw)], model, 3)
    assert {path.name for path in tmp_path.iterdir()} == {
        "step-000002.png",
        "step-000003.png",
        "training.gif",
    }
    with Image.open(tmp_path / "step-000002.png") as picture:
        assert (picture.mode, picture.getpixel((10, 10))) == ("RGB", (9, 9, 9))


def test_grid_of_a_model_with_labels_has_a_row_for_each_of_up_to_16_classes(tmp_path):
    drive([callbacks.SampleGrid(tmp_path, 1)], Labelled(), 1)
    with Image.open(tmp_path / "step-000001.png") as picture:
        levels = np.asarray(picture)
    rows = [np.full((8, 4, 4, 1), label, np.uint8) for label in range(0, 32, 2)]
    assert np.array_equal(levels, images.grid_of_rows(rows)[..., 0])


def test_animation_leaves_out_pictures_of_an_undone_future(tmp_path):
    drive([callbacks.SampleGrid(tmp_path, 1)], Model(), 6)
    drive([callbacks.SampleGrid(tmp_path, 1)], Model(2), 2)
    with Image.open(tmp_path / "training.gif") as gif:
        assert gif.n_frames == 4


def test_animation_leaves_out_pictures_that_are_none_of_ours(model, tmp_path):
    (tmp_path / "step-copy of 7.png").touch()
    (tmp_path / "step-000001.png").touch()
    drive([callbacks.SampleGrid(tmp_path, 2)], model, 4)
    with Image.open(tmp_path / "training.gif") as gif:
        assert gif.n_frames == 2


def test_checkpointer_saves_now_and_then_and_at_the_end(manager, checkpoints, model):
    saved = []
    save = manager.save
    manager.save = lambda checkpoint_number: (
        saved.append(checkpoint_number) or save(checkpoint_number=checkpoint_number)
    )
    drive([callbacks.Checkpointer(checkpoints, 2)], model, 5)
    assert saved == [2, 4, 5]
    assert [os.path.basename(path) for path in manager.checkpoints] == ["ckpt-4", "ckpt-5"]
    assert checkpoints.last_step == 5


def test_checkpointer_saves_no_step_twice(manager, checkpoints, model):
    drive(
        [callbacks.Checkpointer(checkpoints, 2), callbacks.Checkpointer(checkpoints, 4)], model, 4
    )
    assert int(manager.checkpoint.save_counter) == 2


def test_a_full_disk_leaves_the_last_checkpoint_whole(manager, checkpoints, model):
    checkpointer = callbacks.Checkpointer(checkpoints, 10)
    message = (
        r"^step 20: cannot write the checkpoint: .+; last good checkpoint: step 10, \S+ckpt-10$"
    )
    drive([checkpointer], model, 10)
    with small_files(10_000), pytest.raises(TrainingError, match=message) as caught:
        drive([checkpointer], model, 10)
    assert "\n" not in str(caught.value)
    names = {path for path in os.listdir(manager.directory) if path != "checkpoint"}
    assert names == {"ckpt-10.index", "ckpt-10.data-00000-of-00001"}
    assert tf.train.latest_checkpoint(manager.directory).endswith("ckpt-10")
    manager.checkpoint.restore(manager.latest_checkpoint).assert_consumed()
    assert int(model.step) == 10
    drive([checkpointer], model, 10)  # and with room again it goes on
    assert checkpoints.last_step == 20


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_stops_the_run_at_its_step(manager, model, tmp_path, value):
    made = callbacks.run_callbacks(
        tmp_path,
        manager,
        steps=9,
        images_per_step=4,
        log_every=2,
        sample_every=3,
        checkpoint_every=2,
        stream=io.StringIO(),
    )
    message = rf"^step 6: g_loss is {value}; last good checkpoint: step 4, \S+ckpt-4\. Remedies: "
    with pytest.raises(TrainingError, match=message):
        drive(made, model, 9, lambda step: {**LOGS, "g_loss": value} if step == 6 else LOGS)
    assert [row["step"] for row in rows_of(tmp_path / "metrics.jsonl")] == [2, 4]
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["step-000003.png"]


def test_without_a_checkpoint_the_error_says_so(model):
    with pytest.raises(TrainingError, match="step 1: d_loss is nan; no checkpoint was written yet"):
        drive([callbacks.NonFinite()], model, 1, {"d_loss": math.nan})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_saves_and_stops(checkpoints, model, number):
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

    def logs(step):
        if step == 3:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)  # as `timeout` does
        return LOGS

    match = rf"^{number.name} at step 3; last good checkpoint: step 3, \S+ckpt-3$"
    with pytest.raises(KeyboardInterrupt, match=match):
        drive([callbacks.Interrupt(checkpoints)], model, 9, logs)
    assert checkpoints.last_step == 3
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_ctrl_c_after_a_while_stops_at_once(checkpoints, model, monkeypatch):
    interrupt = callbacks.Interrupt(checkpoints)
    monkeypatch.setattr(time, "monotonic", itertools.count(100.0, 5.0).__next__)

    def logs(step):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="stopped at once in step 1"):
        drive([interrupt], model, 9, logs)
    assert checkpoints.last_step is None


def test_a_signal_after_the_last_step_is_not_lost(checkpoints, model):
    class Late(callbacks.StepCallback):
        def finish(self):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt, match="SIGTERM at step 2"):
        drive([Late(), callbacks.Interrupt(checkpoints)], model, 2)


def test_handlers_are_given_back_whatever_ends_the_run(model):
    before = signal.getsignal(signal.SIGINT)

    def broken(step):
        assert signal.getsignal(signal.SIGINT) != before
        raise RuntimeError("in the middle of a step")

    with pytest.raises(RuntimeError, match="middle"):
        drive([callbacks.Interrupt()], model, 2, broken)
    assert signal.getsignal(signal.SIGINT) == before
    drive([callbacks.Interrupt()], model, 2)
    assert signal.getsignal(signal.SIGINT) == before


def test_outside_the_main_thread_signals_are_left_alone(model):
    thread = threading.Thread(target=lambda: drive([callbacks.Interrupt()], model, 2))
    before = signal.getsignal(signal.SIGINT)
    thread.start()
    thread.join()
    assert int(model.step) == 2
    assert signal.getsignal(signal.SIGINT) == before


def test_progress_on_a_terminal_is_one_bar_that_ends(model):
    stream = Terminal()
    drive([callbacks.Progress(40, 64, stream=stream)], Model(20), 20)
    assert "100%" in stream.getvalue()
    assert "40/40" in stream.getvalue()
    assert "images/s, d_loss 1.5, g_loss -0.25" in stream.getvalue()
    assert "grad_norm" not in stream.getvalue()
    assert stream.getvalue().endswith("\n")


def test_a_run_goes_on_when_nobody_reads_its_progress_any_more(model):
    reader, writer = os.pipe()
    with open(writer, "w") as stream:
        progress = callbacks.Progress(3, 1, stream=stream)
        os.close(reader)
        drive([progress], model, 3)
        assert int(model.step) == 3
        print("into nothing", file=stream, flush=True)


def test_progress_in_a_file_is_lines_every_ten_seconds(model, monkeypatch):
    clock = itertools.count(0.0, 4.0)  # four seconds a step
    monkeypatch.setattr(time, "perf_counter", clock.__next__)
    stream = io.StringIO()
    drive([callbacks.Progress(8, 6, stream=stream)], model, 8)
    assert stream.getvalue().splitlines() == [
        "step 1/8 (12 %)  d_loss 1.5  g_loss -0.25  - images/s  ETA -",
        "step 4/8 (50 %)  d_loss 1.5  g_loss -0.25  2 images/s  ETA 00:16",
        "step 7/8 (87 %)  d_loss 1.5  g_loss -0.25  2 images/s  ETA 00:04",
        "step 8/8 (100 %)  d_loss 1.5  g_loss -0.25  2 images/s  ETA 00:00",
    ]
