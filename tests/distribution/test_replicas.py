"""Several replicas do what one does: each loss scheme on one machine, some over two processes."""

import contextlib
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
WITHOUT_BATCH_NORM = ["nsgan", "vae"]
# Of each way in which replicas have to tell each other something: gradients alone, statistics of
# batch normalisation, states of layers, the deviation of a batch, its maximum, stages.
OVER_PROCESSES = ["nsgan", "vae", "wgan", "sngan", "dragan", "lgan", "progan_growing"]
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


@contextlib.contextmanager
def as_workers(command, addresses, **kwargs):
    """Runs a command once for each address, as one of so many workers; none outlives the block."""
    processes = []
    try:
        for index in range(len(addresses)):
            told = {"TFGANS_WORKERS": ",".join(addresses), "JOB_COMPLETION_INDEX": str(index)}
            processes.append(subprocess.Popen(command, env={**os.environ, **told}, **kwargs))
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The weights of each way to place the replicas, by way and row."""
    folder = tmp_path_factory.mktemp("schemes")
    words = {
        "one": ["--strategy=one"],
        "mirrored": ["--replicas=2"],
        "pieces": ["--replicas=2", "--accumulate=2", "--rows", *WITHOUT_BATCH_NORM],
    }
    for way, options in words.items():
        subprocess.run([sys.executable, SCRIPT, folder / way, *options], check=True)
    command = [sys.executable, SCRIPT, folder / "workers", "--rows", *OVER_PROCESSES]
    with as_workers(command, free_addresses(2)) as processes:
        assert [process.wait(timeout=300) for process in processes] == [0, 0]
    return {
        way: {path.stem: np.load(path) for path in (folder / way).glob("*.npz")}
        for way in (*words, "workers")
    }


# The gradients of biases before a normalisation, or of differences alone, are 0 but for rounding.
ROUNDING = {"biggan": 1e-6, "mmd_gan": 1e-6}
CASES = [("mirrored", name) for name in NAMES]
CASES += [("workers", name) for name in OVER_PROCESSES]
CASES += [("pieces", name) for name in WITHOUT_BATCH_NORM]


@pytest.mark.parametrize(("way", "name"), CASES)
def test_two_replicas_give_the_weights_of_one(results, way, name):
    one, two = results["one"][name], results[way][name]
    assert set(one) == set(two)
    for key in one:
        if key.startswith(NETWORKS):
            np.testing.assert_allclose(two[key], one[key], rtol=0, atol=1e-5, err_msg=key)


@pytest.mark.parametrize(("way", "name"), CASES)
def test_two_replicas_give_the_gradients_of_one(results, way, name):
    """What the optimisers remember shows a factor, which Adam's and RMSprop's steps do not."""
    one, two = results["one"][name], results[way][name]
    for key in one:
        if "optimizer/" in key:
            allowed = max(1e-3 * np.abs(one[key]).max(), ROUNDING.get(name, 0.0))
            np.testing.assert_allclose(two[key], one[key], rtol=0, atol=allowed, err_msg=key)


@pytest.mark.parametrize(("way", "name"), CASES)
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
