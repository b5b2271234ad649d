"""TensorFlow imported without what it always says to stderr."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# Printed while the library loads, before TF_CPP_MIN_LOG_LEVEL is heard. Of the errors of cuInit,
# 100 and 303 say that there is no GPU, or no driver.
_CHATTER = re.compile(
    r"absl::InitializeLog|oneDNN custom operations|Could not find cuda drivers"
    r"|binary is optimized to use available CPU|To enable the following instructions"
    r"|failed call to cuInit: .*\((100|303)\)"
)


def import_tensorflow() -> None:
    """Imports TensorFlow for the first time, with Keras to run on it, and shows only real news."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "tensorflow" in sys.modules:
        return
    with _without_chatter():
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for a GPU now, where its chatter is caught


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Catches what is written to stderr, by native code too; then prints the rest of it."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        stderr = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            lines = caught.read().decode(errors="replace").splitlines()
            for line in lines:
                if not _CHATTER.search(line):
                    print(line, file=sys.stderr)
