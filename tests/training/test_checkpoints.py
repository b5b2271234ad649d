"""Which checkpoint a run goes on from, whatever became of TensorFlow's list of them."""

import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans import DataSpec, UsageError, checkpoints, registry

LIST = "checkpoints/checkpoint"
SPEC = DataSpec((8, 8, 1))


class Model:
    """What a checkpoint sees of a model."""

    def __init__(self):
        self.step = tf.Variable(0, dtype=tf.int64)

    def state(self):
        return {"step": self.step}


@pytest.fixture
def run(tmp_path):
    """A run folder with the checkpoints of steps 8 and 16."""
    model = Model()
    manager = checkpoints.manager(model, tmp_path)
    for step in (8, 16):
        model.step.assign(step)
        manager.save(checkpoint_number=step)
    return tmp_path


def restored(run):
    """The step that a run goes on from; None where it starts anew."""
    model = Model()
    last = checkpoints.last_step(run)
    begun = checkpoints.restore(checkpoints.manager(model, run))
    step = int(model.step) if begun else None
    assert last == step
    again = checkpoints.manager(model, run)  # and the list is mended
    assert again.latest_checkpoint == (None if step is None else f"{run}/checkpoints/step-{step}")
    return step


def test_the_newest_is_restored_and_the_list_left_alone(run):
    before = (run / LIST).read_bytes()
    assert restored(run) == 16
    assert (run / LIST).read_bytes() == before
    assert checkpoints.last_step(run / "nowhere") is None


def test_a_lost_list_is_written_anew(run):
    (run / LIST).unlink()
    assert restored(run) == 16


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"all_model_ch", b'model: "x"', b"5"])
def test_a_damaged_list_is_written_anew(run, content):
    (run / LIST).write_bytes(content)
    assert restored(run) == 16


@pytest.mark.parametrize("removed", ["step-16.*", "step-16.index", "step-16.data*"])
def test_a_removed_checkpoint_is_done_without(run, removed):
    for path in (run / "checkpoints").glob(removed):
        path.unlink()
    assert restored(run) == 8


def test_without_any_the_run_starts_anew(run):
    for path in (run / "checkpoints").glob("step-*"):
        path.unlink()
    assert restored(run) is None


def test_a_half_written_one_that_is_not_listed_is_passed_over(run):
    for name in ("step-24.index", "step-24.data-00000-of-00001", "step-copy.index"):
        (run / "checkpoints" / name).write_bytes(b"half")
    assert restored(run) == 16


def test_the_advice_for_a_damaged_one_works(run):
    newest = run / "checkpoints" / "step-16.data-00000-of-00001"
    newest.write_bytes(newest.read_bytes()[:-3])
    with pytest.raises(UsageError, match=r"step-16' is damaged.* remove it \(.*/step-16\.\*\)"):
        restored(run)
    for path in (run / "checkpoints").glob("step-16.*"):
        path.unlink()
    assert restored(run) == 8


def test_checkpoints_of_a_list_that_was_written_anew_make_room_too(run):
    (run / LIST).unlink()
    manager = checkpoints.manager(Model(), run)
    for step in (24, 32):
        manager.save(checkpoint_number=step)
    left = sorted(path.stem for path in (run / "checkpoints").glob("*.index"))
    assert left == ["step-24", "step-32"]


def test_networks_with_fewer_weights_are_no_others(tmp_path):
    class Players:
        players, average = ("generator",), None

        def __init__(self, *shapes):
            self.generator = self
            self.weights = [np.zeros(shape) for shape in shapes]

        def get_weights(self):
            return self.weights

        def begin_from(self, source):
            raise AssertionError("it fits")

    short, long = Players((2, 3)), Players((2, 3), (3,))
    for source, model, says in (
        (short, long, r"a weight of shape none stands where \(3,\) is wanted"),
        (long, short, r"a weight of shape \(3,\) stands where none is wanted"),
    ):
        with pytest.raises(UsageError, match=f"init_from has another generator: {says}"):
            checkpoints.copy_networks(source, model)


def test_the_mean_of_historical_averaging_begins_at_the_weights_it_starts_from():
    tiny = registry.load("nsgan").tiny
    source, model = (
        tfgans.create("nsgan", SPEC, seed=seed, historical_weight=weight, **tiny)
        for seed, weight in ((1, 0.0), (2, 0.1))
    )
    checkpoints.copy_networks(source, model)
    logs = model.train_step({"image": np.zeros((4, *SPEC.image_shape), np.float32)})
    for player in model.players:
        assert float(logs[f"historical_penalty/{player}"]) == 0.0


def test_networks_that_have_grown_stay_grown():
    tiny = registry.load("progan").tiny
    spec = DataSpec((16, 16, 1))
    source, model = (tfgans.create("progan", spec, seed=seed, **tiny) for seed in (1, 2))
    source.shown.assign(10**6)
    checkpoints.copy_networks(source, model)
    assert model.enter_stage() == source.enter_stage() == len(model.generator.networks) - 1 > 0
