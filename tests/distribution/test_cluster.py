"""Which processes train together: TF_CONFIG, Slurm's variables, Kubernetes' variables."""

import json
import os

import pytest

from tfgans import UsageError, cluster
from tfgans.cluster import Cluster


def tf_config(task, **jobs):
    return {"TF_CONFIG": json.dumps({"cluster": jobs, "task": task})}


def slurm(rank, node, local, *, counts="2(x2),1", nodes="n[2,10],m1"):
    return {
        "SLURM_JOB_ID": "1234567",
        "SLURM_STEP_ID": "3",
        "SLURM_STEP_NUM_TASKS": "5",
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_TASKS_PER_NODE": counts,
        "SLURM_PROCID": str(rank),
        "SLURM_NODEID": str(node),
        "SLURM_LOCALID": str(local),
    }


@pytest.fixture
def scontrol(tmp_path, monkeypatch):
    """A stand-in for Slurm's command, which is not on this machine."""
    program = tmp_path / "scontrol"
    program.write_text(
        '#!/bin/sh\n[ "$*" = "show hostnames n[2,10],m1" ] && printf "n2\\nn10\\nm1\\n"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


def test_an_empty_environment_describes_none():
    assert cluster.find({}) is None
    assert cluster.find({"TF_CONFIG": "", "SLURM_STEP_NUM_TASKS": "1"}) is None


def test_workers_of_tf_config():
    environ = tf_config({"type": "worker", "index": 1}, worker=["a:1", "b:2"])
    assert cluster.find(environ) == Cluster(("a:1", "b:2"), 1)


def test_the_chief_of_tf_config_comes_first():
    jobs = {"chief": ["c:0"], "worker": ["a:1", "b:2"]}
    first = cluster.find(tf_config({"type": "chief", "index": 0}, **jobs))
    third = cluster.find(tf_config({"type": "worker", "index": "1"}, **jobs))
    assert first == Cluster(("c:0", "a:1", "b:2"), 0)
    assert third == Cluster(("c:0", "a:1", "b:2"), 2)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": 1, "task": 2}',
    ],
)
def test_a_damaged_tf_config_is_quoted(text):
    with pytest.raises(UsageError, match="must be JSON such as") as caught:
        cluster.find({"TF_CONFIG": text})
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("workers", "told"),
    [
        ("a:1,b:1,", "worker address '' must be host:port"),
        ("a,b", "worker address 'a' must be host:port"),
        ("a:1,a:1", "two have one address"),
    ],
)
def test_wrong_addresses_are_refused(workers, told):
    with pytest.raises(UsageError, match=told):
        cluster.find({"TFGANS_WORKERS": workers, "JOB_COMPLETION_INDEX": "0"})


def test_what_is_said_by_hand_comes_before_slurm(scontrol):
    environ = {**slurm(0, 0, 0), "TFGANS_WORKERS": "a:1,b:1", "JOB_COMPLETION_INDEX": "1"}
    assert cluster.find(environ) == Cluster(("a:1", "b:1"), 1)


def test_roles_that_do_not_train_are_refused():
    environ = tf_config({"type": "ps", "index": 0}, worker=["a:1"], ps=["p:1"])
    with pytest.raises(UsageError, match="TF_CONFIG"):
        cluster.find(environ)


def test_a_worker_beyond_the_last_is_refused():
    environ = tf_config({"type": "worker", "index": 2}, worker=["a:1", "b:2"])
    with pytest.raises(UsageError, match="worker 2: there are 2, counted from 0"):
        cluster.find(environ)


def test_slurm_tasks_lie_node_by_node(scontrol):
    port = 20000 + 64 * ((1234567 + 3) % 190)
    addresses = [f"n2:{port}", f"n2:{port + 1}", f"n10:{port}", f"n10:{port + 1}", f"m1:{port}"]
    places = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    for rank, (node, local) in enumerate(places):
        assert cluster.find(slurm(rank, node, local)) == Cluster(tuple(addresses), rank)


def test_slurm_tasks_in_another_order_are_refused(scontrol):
    with pytest.raises(UsageError, match="srun --distribution=block"):
        cluster.find(slurm(1, 1, 0))


@pytest.mark.parametrize("counts", ["2(x2", "two", ""])
def test_damaged_slurm_variables_are_refused(scontrol, counts):
    with pytest.raises(UsageError, match="Slurm's variables are incomplete or damaged"):
        cluster.find(slurm(0, 0, 0, counts=counts))


def test_missing_slurm_variables_are_named():
    environ = slurm(0, 0, 0)
    del environ["SLURM_STEP_NODELIST"]
    with pytest.raises(UsageError, match="SLURM_STEP_NODELIST"):
        cluster.find(environ)


def test_slurm_without_its_command_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="cannot run 'scontrol show hostnames"):
        cluster.find(slurm(0, 0, 0))


def test_kubernetes_indexed_jobs():
    environ = {"TFGANS_WORKERS": "gan-0.gan:9000, gan-1.gan:9000", "JOB_COMPLETION_INDEX": "1"}
    assert cluster.find(environ) == Cluster(("gan-0.gan:9000", "gan-1.gan:9000"), 1)


@pytest.mark.parametrize("index", [None, "", "-1", "one"])
def test_kubernetes_without_an_index_is_refused(index):
    environ = {"TFGANS_WORKERS": "a:1,b:1"}
    environ |= {} if index is None else {"JOB_COMPLETION_INDEX": index}
    with pytest.raises(UsageError, match="JOB_COMPLETION_INDEX"):
        cluster.find(environ)
