"""From pictures to the features that metrics compare.

`open_features(name)` gives an `Extractor`: `pixels`, `digits_cnn` (a small classifier that comes
with the package), `inception` (the graph FID was defined on, from TF-Hub or a local folder), or
the path of a user's own SavedModel or `.keras` file.
"""

from tfgans.features.extractor import Extractor, Features, default_features, open_features

__all__ = ["Extractor", "Features", "default_features", "open_features"]
