"""On which devices the replicas of a run are: one, all of a machine, or those of several machines.

Each replica holds the whole model and works on its slice of the global batch.
"""

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from tfgans import cluster
from tfgans.cluster import Cluster
from tfgans.errors import TrainingError, UsageError, first_line


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where the replicas of a run are.

    Attributes:
        kind: one, mirrored or multi_worker.
        devices: Those of this process, such as `GPU:0`, with a replica each.
        cluster: The processes, where there are several.
    """

    kind: str
    devices: tuple[str, ...]
    cluster: Cluster | None = None

    @property
    def num_replicas(self) -> int:
        """Replicas over all processes."""
        return len(self.devices) * (len(self.cluster.addresses) if self.cluster else 1)

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes the run folder and the export."""
        return not self.cluster or self.cluster.index == 0

    def open(self) -> tf.distribute.Strategy:
        """Returns TensorFlow's strategy; that of several workers once all of them are there.

        Raises:
            UsageError: If TensorFlow has computed something before, in this process.
        """
        try:
            if self.cluster:
                return _of_workers(self.cluster)
            if self.kind == "one":
                return tf.distribute.get_strategy()
            if "CPU:1" in self.devices:
                _split_cpu(len(self.devices))
            return tf.distribute.MirroredStrategy(self.devices)
        except RuntimeError as error:
            raise UsageError(f"strategy={self.kind!r}: {first_line(error)}") from error


def place(name: str = "auto", replicas: int = 1) -> Placement:
    """Finds where the replicas of a run are to be, and opens nothing yet.

    Args:
        name: `one` device; `mirrored` over all GPUs of this machine, or over `replicas` parts of
            its CPU; `multi_worker` over the processes that `tfgans.cluster` finds; `auto`:
            whichever of these fits what there is.
        replicas: Logical devices that the CPU is split into.

    Raises:
        UsageError: If the strategy does not fit what there is.
    """
    found = cluster.find() if name in ("auto", "multi_worker") else None
    gpus = tuple(f"GPU:{i}" for i in range(len(tf.config.list_physical_devices("GPU"))))
    if name == "auto":
        several = "mirrored" if replicas > 1 or len(gpus) > 1 else "one"
        name = "multi_worker" if found and len(found.addresses) > 1 else several
    if replicas > 1 and name != "mirrored":
        raise UsageError(f"replicas={replicas} splits one CPU: with strategy mirrored, not {name}")
    if name == "multi_worker" and found is None:
        raise UsageError(
            "strategy='multi_worker' finds no workers: set TF_CONFIG, start with srun, or set "
            "TFGANS_WORKERS and JOB_COMPLETION_INDEX"
        )
    found = found if name == "multi_worker" else None
    if replicas > 1 or not gpus:
        return Placement(name, tuple(f"CPU:{i}" for i in range(replicas)), found)
    return Placement(name, gpus[:1] if name == "one" else gpus, found)


def precision() -> str:
    """Returns the fastest precision that the devices of this machine train well in.

    bfloat16 on GPUs of compute capability 8 and above and on processors with AMX; float16, whose
    losses are scaled, on GPUs of 7 to 7.5; else float32. A processor that has bfloat16 in AVX-512
    only is slower with it (measured).
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = map(tf.config.experimental.get_device_details, gpus)
        capability = min(one.get("compute_capability", (0, 0)) for one in details)
        if capability >= (8, 0):
            return "mixed_bfloat16"
        return "mixed_float16" if capability >= (7, 0) else "float32"
    return "mixed_bfloat16" if "amx_bf16" in _processor_flags() else "float32"


def distributed(strategy: tf.distribute.Strategy, load: Callable) -> Any:
    """Returns a data set for `fit`, of which each worker makes only what its replicas work on.

    Args:
        strategy: Of the model.
        load: From `share`, as `tfgans.data.load` takes it, to a `tf.data.Dataset`.
    """
    if strategy.num_replicas_in_sync == 1:
        return load((0, 1, 1))

    def part(context):
        count = context.num_replicas_in_sync // context.num_input_pipelines
        return load((context.input_pipeline_id * count, count, context.num_replicas_in_sync))

    return strategy.distribute_datasets_from_function(part)


@contextlib.contextmanager
def together(placement: Placement, strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Ends for all workers at once: one that left early would look like one that was killed.

    Raises:
        TrainingError: If another worker is gone.
    """
    try:
        yield
        if placement.cluster:
            strategy.run(_meet)
    except tf.errors.OpError as error:
        if not placement.cluster:
            raise
        raise TrainingError(
            f"worker {placement.cluster.index}: another worker is gone ({first_line(error)}); "
            "start all of them again with --resume"
        ) from error


@tf.function
def _meet():
    tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(1.0))


def _processor_flags():
    """Returns what Linux tells of the processor; elsewhere nothing."""
    file = pathlib.Path("/proc/cpuinfo")
    return set(file.read_text(encoding="utf-8").split()) if file.exists() else set()


def _split_cpu(count):
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * count
    if tf.config.get_logical_device_configuration(cpu) != devices:
        tf.config.set_logical_device_configuration(cpu, devices)


def _of_workers(workers):
    number, index = len(workers.addresses), workers.index
    print(f"worker {index} of {number}, waiting for the others", file=sys.stderr, flush=True)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(workers.addresses)}),
        task_type="worker",
        task_id=index,
        rpc_layer="grpc",
    )
    return tf.distribute.MultiWorkerMirroredStrategy(resolver)
