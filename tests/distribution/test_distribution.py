"""Where the replicas of a run are to be, found from the devices that there are."""

import pytest
import tensorflow as tf

from tfgans import UsageError, distribution, plans, training
from tfgans.cluster import Cluster

WORKERS = {"TFGANS_WORKERS": "a:1,b:1", "JOB_COMPLETION_INDEX": "1"}


class Gpu:
    """A device that this machine does not have."""

    def __init__(self, capability=(8, 0)):
        self.capability = capability


@pytest.fixture(autouse=True)
def gpus(monkeypatch):
    """Makes TensorFlow list these GPUs, at first none, and the environment know no workers."""
    for name in ("TF_CONFIG", "TFGANS_WORKERS", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    found = []
    listed = tf.config.list_physical_devices
    monkeypatch.setattr(
        tf.config,
        "list_physical_devices",
        lambda kind=None: found if kind == "GPU" else listed(kind),
    )
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda gpu: {"compute_capability": gpu.capability} if gpu.capability else {},
    )
    return found


@pytest.fixture
def two_workers(monkeypatch):
    """Makes the environment say that this is the second of two workers."""
    for key, value in WORKERS.items():
        monkeypatch.setenv(key, value)


def placed(*arguments):
    found = distribution.place(*arguments)
    return found.kind, found.devices, found.num_replicas


def test_one_processor_is_one_device():
    assert placed() == placed("one") == ("one", ("CPU:0",), 1)


def test_replicas_split_the_processor():
    expected = ("mirrored", ("CPU:0", "CPU:1", "CPU:2"), 3)
    assert placed("auto", 3) == placed("mirrored", 3) == expected


def test_all_gpus_are_taken(gpus):
    gpus += [Gpu(), Gpu()]
    assert placed() == placed("mirrored") == ("mirrored", ("GPU:0", "GPU:1"), 2)
    assert placed("one") == ("one", ("GPU:0",), 1)
    assert placed("mirrored", 2) == ("mirrored", ("CPU:0", "CPU:1"), 2)


def test_workers_count_for_all(two_workers, gpus):
    found = distribution.place()
    assert found == distribution.place("multi_worker")
    assert found.cluster == Cluster(("a:1", "b:1"), 1)
    assert (found.kind, found.num_replicas) == ("multi_worker", 2)
    gpus += [Gpu()] * 4
    assert distribution.place().num_replicas == 8
    assert distribution.place("mirrored").num_replicas == 4


def test_only_the_chief_looks_at_the_folders(two_workers, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("mine")
    places = {"run_dir": tmp_path / "file" / "run", "resume": True}
    given = {"export_dir": str(tmp_path / "file" / "export")}
    *_, placement = plans.make("nsgan", **places, given=given)
    assert not placement.is_chief
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    with pytest.raises(UsageError, match="cannot use"):
        plans.make("nsgan", **places, given=given)


def test_workers_get_their_gpus(monkeypatch, two_workers, gpus):
    opened = []

    def strategy(resolver):
        opened.append((resolver.num_accelerators(), resolver.task_id))
        return tf.distribute.get_strategy()

    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", strategy)
    gpus += [Gpu()] * 4
    with pytest.raises(UsageError, match="8 replicas were to be had, 1 are there"):
        distribution.place().open()
    assert opened == [({"GPU": 4}, 1)]


def test_an_occupied_port_is_told_in_one_line(monkeypatch, two_workers):
    def strategy(resolver):
        raise tf.errors.UnknownError(None, None, "Could not start gRPC server")

    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", strategy)
    with pytest.raises(UsageError, match="strategy='multi_worker': Could not start gRPC server"):
        distribution.place().open()


def test_one_worker_alone_needs_no_cluster(monkeypatch):
    monkeypatch.setenv("TFGANS_WORKERS", "a:1")
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    assert (distribution.place().kind, distribution.place().cluster) == ("one", None)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("multi_worker",), "finds no workers: set TF_CONFIG, start with srun"),
        (("one", 2), "replicas=2 splits one CPU: with strategy mirrored, not one"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, told):
    with pytest.raises(UsageError, match=told):
        distribution.place(*arguments)


@pytest.mark.parametrize(
    "wrong", [{"strategy": "all"}, {"replicas": 0}, {"replicas": 3}, {"jit": True, "replicas": 2}]
)
def test_wrong_options_are_refused_before_training(wrong):
    with pytest.raises(UsageError, match=f"{next(iter(wrong))}=|multiple of 3"):
        training.resolve("nsgan", dataset="optdigits", batch_size=16, **wrong)


def test_devices_cannot_be_split_once_in_use():
    tf.constant(1.0) + 1.0
    with pytest.raises(UsageError, match="strategy='mirrored': "):
        distribution.place("mirrored", 7).open()


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ({"amx_bf16", "avx512_bf16"}, "mixed_bfloat16"),
        ({"avx512_bf16"}, "mixed_bfloat16"),
        ({"avx512f"}, "float32"),
        ({}, "float32"),
    ],
)
def test_precision_of_a_processor(monkeypatch, flags, precision):
    monkeypatch.setattr(distribution, "_processor_flags", lambda: flags)
    assert distribution.precision() == precision
    plan = training.resolve("nsgan", dataset="optdigits", precision="auto")
    assert plan["precision"] == precision


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ([(9, 0), (8, 0)], "mixed_bfloat16"),
        ([(8, 0), (7, 5)], "mixed_float16"),
        ([(7, 0)], "mixed_float16"),
        ([(6, 1)], "float32"),
        ([None], "float32"),
    ],
)
def test_precision_of_gpus_is_that_of_the_least(gpus, capabilities, precision):
    gpus += map(Gpu, capabilities)
    assert distribution.precision() == precision
