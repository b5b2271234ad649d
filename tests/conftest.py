"""What every test needs: a quiet TensorFlow with one thread for each worker, and the checkout."""

import os
import pathlib
import subprocess
import sys

import hypothesis
import pytest

# Before TensorFlow is imported; processes that tests start inherit these.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

# The same examples in every run, however slow the machine is.
hypothesis.settings.register_profile("tfgans", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("tfgans")


@pytest.fixture(scope="session")
def repo():
    """Folder of the checkout."""
    return pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture
def run_python(tmp_path):
    """Runs Python with the given arguments in an empty folder: `run_python("-c", "...")`."""

    def run(*arguments, **kwargs):
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            **{"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 240, **kwargs},
        )

    return run
