"""Which processes train together, and which of them this one is, as the environment says.

Three ways to say it are read, in this order:

- `TF_CONFIG`, TensorFlow's own, which Kubeflow's TFJob sets too;
- `TFGANS_WORKERS=host:port,host:port,...`, the same for all, with the place in this list in
  `JOB_COMPLETION_INDEX`, as an indexed Job of Kubernetes sets it;
- Slurm's variables, in a step that `srun` started with more than one task.
"""

import dataclasses
import json
import os
import re
import subprocess
from collections.abc import Mapping

from tfgans.errors import UsageError

_PORT, _STEPS, _TASKS = 20000, 190, 64  # Slurm's steps on one node have 64 ports each
_ADDRESS = re.compile(r"[^\s:,]+:\d+|\[[^\s,]+\]:\d+")
_COUNT = re.compile(r"(\d+)(?:\(x(\d+)\))?")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes of a run.

    Attributes:
        addresses: `host:port` of each; the first is the chief, the only one that writes.
        index: Place of this process among them.
    """

    addresses: tuple[str, ...]
    index: int


def find(environ: Mapping[str, str] = os.environ) -> Cluster | None:
    """Returns the cluster that the environment describes, None where it describes none.

    Raises:
        UsageError: If what it says is incomplete or makes no sense.
    """
    for read in (_tf_config, _kubernetes, _slurm):
        found = read(environ)
        if found is not None:
            return _checked(*found)
    return None


def _checked(addresses, index):
    for address in addresses:
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
            raise UsageError(f"worker address {address!r} must be host:port")
    if len(set(addresses)) < len(addresses):
        raise UsageError(f"workers {', '.join(addresses)}: two have one address")
    if not 0 <= index < len(addresses):
        raise UsageError(f"worker {index}: there are {len(addresses)}, counted from 0")
    return Cluster(tuple(addresses), index)


def _tf_config(environ):
    text = environ.get("TF_CONFIG")
    if not text:
        return None
    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        chief, workers = jobs.get("chief", []), jobs.get("worker", [])
        index = {"chief": 0, "worker": len(chief)}[task["type"]] + int(task["index"])
        if not isinstance(chief, list) or not isinstance(workers, list):
            raise TypeError("addresses come in a list")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(
            f"TF_CONFIG={text!r} must be JSON such as "
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}'
        ) from error
    return [*chief, *workers], index


def _slurm(environ):
    if environ.get("SLURM_STEP_NUM_TASKS", "1") == "1":
        return None
    try:
        nodes = environ["SLURM_STEP_NODELIST"]
        counts = _expanded(environ["SLURM_STEP_TASKS_PER_NODE"])
        index, node, local = (int(environ[f"SLURM_{key}ID"]) for key in ("PROC", "NODE", "LOCAL"))
        step = int(environ["SLURM_JOB_ID"]) + int(environ["SLURM_STEP_ID"])
    except (KeyError, ValueError) as error:
        raise UsageError(f"Slurm's variables are incomplete or damaged: {error}") from error
    port = _PORT + step % _STEPS * _TASKS
    hosts = _hostnames(nodes)
    if index != sum(counts[:node]) + local:
        raise UsageError("Slurm's tasks must lie node by node: srun --distribution=block")
    tasks = [(host, task) for host, n in zip(hosts, counts, strict=True) for task in range(n)]
    return [f"{host}:{port + task}" for host, task in tasks], index


def _expanded(counts: str) -> list[int]:
    """Returns 2(x3),1 as [2, 2, 2, 1]."""
    matches = [_COUNT.fullmatch(part) for part in counts.split(",")]
    if not all(matches):
        raise ValueError(f"SLURM_STEP_TASKS_PER_NODE={counts!r}")
    return [int(match[1]) for match in matches if match for _ in range(int(match[2] or 1))]


def _hostnames(nodes: str) -> list[str]:
    command = ["scontrol", "show", "hostnames", nodes]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(
            f"cannot run {' '.join(command)!r}: {error}; TFGANS_WORKERS and JOB_COMPLETION_INDEX "
            "can say what it would"
        ) from error


def _kubernetes(environ):
    text = environ.get("TFGANS_WORKERS")
    if not text:
        return None
    index = environ.get("JOB_COMPLETION_INDEX", "")
    if not index.isdecimal():
        raise UsageError(
            f"TFGANS_WORKERS is set, so JOB_COMPLETION_INDEX={index!r} must say which of them "
            "this process is, counted from 0"
        )
    return [address.strip() for address in text.split(",")], int(index)
