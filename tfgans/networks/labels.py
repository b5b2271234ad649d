"""Classes as the input of a network."""

import keras

from tfgans.errors import UsageError
from tfgans.variant import DataSpec


def label_input(data: DataSpec):
    """Returns the Keras input `label`, int32 `(batch,)`, and it as one-hot `(batch, classes)`.

    A dense layer without bias on the latter is an embedding.

    Raises:
        UsageError: If the data has no classes.
    """
    if not data.num_classes:
        raise UsageError("this network takes a label, and the data has none")
    label = keras.Input((), dtype="int32", name="label")
    one_hot = keras.layers.CategoryEncoding(data.num_classes, output_mode="one_hot")(label)
    return label, one_hot
