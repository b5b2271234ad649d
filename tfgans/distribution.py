"""On which devices the replicas of a run are: one, all of a machine, or those of several machines.

Each replica holds the whole model and works on its slice of the global batch.
"""

import contextlib
import dataclasses
import functools
import pathlib
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import tensorflow as tf

from tfgans import cluster
from tfgans.cluster import Cluster
from tfgans.errors import TrainingError, UsageError, first_line

# What TensorFlow raises where another process is gone.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


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
        return self.cluster is None or self.cluster.index == 0

    def open(self) -> "Team":
        """Opens TensorFlow's strategy; that of several processes once all of them are there.

        Raises:
            UsageError: If the devices cannot be had as they are asked for.
        """
        try:
            if self.cluster:
                team = Team(_of_processes(self.cluster, self.devices), self.cluster)
            elif self.kind == "one":
                team = Team(tf.distribute.get_strategy())
            else:
                _split_cpu(sum(device.startswith("CPU") for device in self.devices))
                team = Team(tf.distribute.MirroredStrategy(self.devices))
        except (RuntimeError, ValueError, tf.errors.OpError) as error:
            raise UsageError(f"strategy={self.kind!r}: {first_line(error)}") from error
        if team.num_replicas != self.num_replicas:
            raise UsageError(
                f"{self.num_replicas} replicas were to be had, {team.num_replicas} are there: all "
                "machines must have as many GPUs"
            )
        return team


class Team:
    """The replicas of a run, and the processes that they are in.

    Attributes:
        strategy: TensorFlow's.
        workers: Number of processes.
        index: Place of this one among them; the first is the chief, the only one that writes.
    """

    def __init__(self, strategy: tf.distribute.Strategy, processes: Cluster | None = None):
        self.strategy = strategy
        self.workers = len(processes.addresses) if processes else 1
        self.index = processes.index if processes else 0

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes the run folder and the export."""
        return self.index == 0

    @property
    def num_replicas(self) -> int:
        """Replicas over all processes."""
        return self.strategy.num_replicas_in_sync

    def numbers(self, own: int) -> list[int]:
        """Returns the number that each process gives, once all have come here."""
        if self.workers == 1:
            return [own]

        told = self.strategy.run(self._gathered, args=(tf.constant(own, tf.int64),))
        rows = self.strategy.experimental_local_results(told)
        return [int(number) // len(rows) for number in rows[0]]

    @functools.cached_property
    def _gathered(self) -> Callable:
        """From a number of this process to those of all; traced once, it is called often."""

        @tf.function
        def gathered(own):
            row = tf.one_hot(self.index, self.workers, own, tf.constant(0, tf.int64))
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, row)

        return gathered

    def any(self, flag: bool) -> bool:
        """Returns whether any process says so, once all have come here."""
        return max(self.numbers(int(flag))) > 0

    def share(self, variables: Iterable[tf.Variable]) -> None:
        """Gives all processes the values that the chief has, bit for bit."""
        if self.workers == 1:
            return
        variables = list(variables)

        @tf.function
        def told():
            context = tf.distribute.get_replica_context()
            each = [_bits(variable) for variable in variables]
            own, sizes = tf.concat(each, axis=0), [bits.shape[0] for bits in each]
            is_first = tf.equal(context.replica_id_in_sync_group, 0)
            given = tf.where(is_first, own, tf.zeros_like(own))
            bits = context.all_reduce(tf.distribute.ReduceOp.SUM, given)
            for variable, part in zip(variables, tf.split(bits, sizes), strict=True):
                words = [part.shape[0] // max(1, variable.shape.num_elements())]
                shape = [*variable.shape, *([] if words == [1] else words)]
                variable.assign(tf.bitcast(tf.reshape(part, shape), variable.dtype))

        self.strategy.run(told)

    def meet(self) -> None:
        """Waits until all have come here: one that ended early would look like one that died."""
        self.numbers(0)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Turns what TensorFlow raises when another process is gone into a `TrainingError`."""
        try:
            yield
        except LOST as error:
            if self.workers == 1:
                raise
            raise TrainingError(
                f"worker {self.index}: another worker is gone ({first_line(error)}); start all of "
                "them again with --resume"
            ) from error

    def distributed(self, load: Callable) -> Any:
        """Returns a data set for `fit`, of which each process makes only what its replicas take.

        Args:
            load: From `share`, as `tfgans.data.load` takes it, to a `tf.data.Dataset`.
        """
        if self.num_replicas == 1:
            return load((0, 1, 1))
        count = self.num_replicas // self.workers
        share = (self.index * count, count, self.num_replicas)
        return self.strategy.distribute_datasets_from_function(lambda context: load(share))


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

    bfloat16 on GPUs of compute capability 8 and above and on processors that multiply it (AMX or
    AVX-512's); float16, whose losses are scaled, on GPUs of 7 to 7.5; else float32.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = map(tf.config.experimental.get_device_details, gpus)
        capability = min(one.get("compute_capability", (0, 0)) for one in details)
        if capability >= (8, 0):
            return "mixed_bfloat16"
        return "mixed_float16" if capability >= (7, 0) else "float32"
    multiplies = {"amx_bf16", "avx512_bf16"} & set(_processor_flags())
    return "mixed_bfloat16" if multiplies else "float32"


def _of_processes(found, devices):
    addresses, index = found.addresses, found.index
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(addresses)}),
        task_type="worker",
        task_id=index,
        num_accelerators={"GPU": sum(device.startswith("GPU") for device in devices)},
        rpc_layer="grpc",
    )
    words = f"worker {index} of {len(addresses)}, at {addresses[index]}: waiting for the others"
    print(f"{words}; Ctrl-C ends it", file=sys.stderr, flush=True)
    with _default_signals():  # Python's own handlers cannot run meanwhile
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)


def _bits(variable):
    """Returns a variable's bits as a vector of int32: a sum of floats would make +0 of -0."""
    return tf.reshape(tf.bitcast(tf.convert_to_tensor(variable), tf.int32), [-1])


@contextlib.contextmanager
def _default_signals() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _processor_flags():
    """Returns what Linux tells of the processor; elsewhere nothing."""
    file = pathlib.Path("/proc/cpuinfo")
    return set(file.read_text(encoding="utf-8").split()) if file.exists() else set()


def _split_cpu(count):
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * count
    if count > 1 and tf.config.get_logical_device_configuration(cpu) != devices:
        tf.config.set_logical_device_configuration(cpu, devices)
