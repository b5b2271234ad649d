"""Several replicas do what one does: of each loss scheme, on one machine and over two processes."""

import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest
import schemes

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(600)]

SCRIPT = pathlib.Path(schemes.__file__)
NAMES = [row.name for row in schemes.rows()]
NETWORKS = ("generator", "discriminator", "encoder", "decoder", "average")


def free_addresses(count):
    """Returns loopback addresses with ports that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    finally:
        for one in sockets:
            one.close()


def as_workers(command, addresses, **kwargs):
    """Starts a command once for each address, as one of so many workers."""
    processes = []
    for index in range(len(addresses)):
        told = {"TFGANS_WORKERS": ",".join(addresses), "JOB_COMPLETION_INDEX": str(index)}
        processes.append(subprocess.Popen(command, env={**os.environ, **told}, **kwargs))
    return processes


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The weights of each way to place the replicas, by way and row."""
    folder = tmp_path_factory.mktemp("schemes")
    command = [sys.executable, str(SCRIPT)]
    started = {
        "one": [subprocess.Popen([*command, folder / "one", "--strategy=one"])],
        "mirrored": [subprocess.Popen([*command, folder / "mirrored", "--replicas=2"])],
        "workers": as_workers([*command, folder / "workers"], free_addresses(2)),
    }
    assert {way: [one.wait() for one in ones] for way, ones in started.items()} == {
        "one": [0],
        "mirrored": [0],
        "workers": [0, 0],
    }
    return {way: {name: np.load(folder / way / f"{name}.npz") for name in NAMES} for way in started}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["mirrored", "workers"])
def test_two_replicas_give_the_weights_of_one(results, way, name):
    one, two = results["one"][name], results[way][name]
    assert set(one) == set(two)
    for key in one:
        if key.startswith(NETWORKS):
            np.testing.assert_allclose(two[key], one[key], rtol=0, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["mirrored", "workers"])
def test_two_replicas_log_what_one_does(results, way, name):
    one, two = results["one"][name], results[way][name]
    for key in one:
        if key.startswith("logs/"):
            np.testing.assert_allclose(two[key], one[key], rtol=1e-4, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_it_was_training(results, name):
    """Else the others would compare what nothing has moved."""
    one = results["one"][name]
    assert one["step"] == schemes.STEPS
    assert all(np.isfinite(one[key]).all() for key in one)
    averages = [key for key in one if "optimizer/" in key and one[key].ndim > 1]
    assert averages
    assert all(np.abs(one[key]).max() > 0 for key in averages)
