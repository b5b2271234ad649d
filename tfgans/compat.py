"""The one place that patches a third party: TF-GAN, tensorflow-datasets and TensorFlow."""

import contextlib
import functools
import logging
import os
import socket
import sys
import threading
import types
import urllib.parse
import warnings
from collections.abc import Iterator
from typing import Any

from tfgans.errors import UsageError, first_line

CONNECT_SECONDS = 3.0
_PORTS = {"https": 443, "ftp": 21}


@functools.cache
def import_tensorflow_gan() -> Any:
    """Returns the module `tensorflow_gan`, which by itself needs the `tf.estimator` of old.

    Its losses (`losses.wargs`), FID and KID run eagerly on today's TensorFlow; only what it builds
    on estimators is gone.
    """
    import tensorflow as tf

    hooks = types.SimpleNamespace(SessionRunHook=tf.compat.v1.train.SessionRunHook)
    sys.modules.setdefault(
        "tensorflow_gan.python.estimator", types.ModuleType("tensorflow_gan.python.estimator")
    )
    had_estimator = hasattr(tf, "estimator")
    if not had_estimator:
        tf.estimator = hooks
    try:
        with warnings.catch_warnings():
            # It and TensorFlow Hub import pkg_resources and distutils, both deprecated.
            warnings.simplefilter("ignore")
            import tensorflow_gan
    finally:
        if not had_estimator:
            del tf.estimator
    return tensorflow_gan


def load_tfhub(handle: str) -> tuple[Any, str]:
    """Loads a TF-Hub module from a folder, from TF-Hub's cache, or over the network.

    Args:
        handle: Folder of the unpacked module, or its address.

    Returns:
        The module, a callable, and the folder it was read from.

    Raises:
        UsageError: If it is neither at hand nor to be had, known within seconds.
    """
    import_tensorflow_gan()  # with the warnings of what TensorFlow Hub imports
    import tensorflow as tf
    import tensorflow_hub
    from tensorflow_hub import compressed_module_resolver

    try:
        if "://" in handle and not os.path.isdir(compressed_module_resolver._module_dir(handle)):
            _check_reachable(handle)
        folder = tensorflow_hub.resolve(handle)
        return tensorflow_hub.load(folder), str(folder)
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UsageError(
            f"cannot load {handle!r}: {first_line(error)}; set TFHUB_CACHE_DIR to a folder that "
            "holds it, or name a folder with the unpacked module as inception:FOLDER"
        ) from error


@contextlib.contextmanager
def quiet_tfds() -> Iterator[None]:
    """Scope in which TFDS does not log warnings that are about its own code."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def quick_tfds_download() -> Iterator[None]:
    """Scope in which a download that cannot be had fails within seconds, not after 205 s.

    Nothing is tried again, hosts get a few seconds to answer, and what TFDS prints goes to stderr.
    """
    from tensorflow_datasets.core.download import downloader
    from tensorflow_datasets.core.utils import tqdm_utils

    retries, open_url = downloader.MAX_RETRIES, downloader._open_url

    def open_url_soon(url, **kwargs):
        _check_reachable(url)
        return open_url(url, timeout=(CONNECT_SECONDS, 60.0), **kwargs)

    downloader.MAX_RETRIES, downloader._open_url = 0, open_url_soon
    bars = contextlib.nullcontext() if sys.stderr.isatty() else _without_bars(tqdm_utils)
    try:
        with contextlib.redirect_stdout(sys.stderr), bars:
            yield
    finally:
        downloader.MAX_RETRIES, downloader._open_url = retries, open_url


@contextlib.contextmanager
def _without_bars(tqdm_utils) -> Iterator[None]:
    active = tqdm_utils._active
    tqdm_utils.disable_progress_bar()
    try:
        yield
    finally:
        tqdm_utils.display_progress_bar(active)


def _check_reachable(url: str) -> None:
    """Raises ConnectionError if nothing answers at the host of `url`, or at the proxy before it.

    In a thread of its own: no time limit can be set for looking up a name.
    """
    import requests

    scheme = urllib.parse.urlsplit(url).scheme
    proxy = requests.utils.get_environ_proxies(url).get(scheme)
    address = urllib.parse.urlsplit(proxy if proxy and "://" in proxy else url)
    place = (address.hostname or "", address.port or _PORTS.get(address.scheme, 80))
    failure: list[OSError | None] = [TimeoutError("no answer")]

    def connect():
        try:
            socket.create_connection(place, CONNECT_SECONDS).close()
            failure[0] = None
        except OSError as error:
            failure[0] = error

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    if failure[0] is not None:
        raise ConnectionError(f"{place[0]} cannot be reached: {failure[0]}")


def disable_remapper() -> None:
    """Turns off TensorFlow's fusing of neighbouring operations, for this process.

    It stumbles over a convolution with bias before a leaky ReLU ("remapper failed", an error in
    the middle of a run), and on training steps it gained nothing when measured.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"remapping": False})
