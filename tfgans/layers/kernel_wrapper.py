"""What the layers share that run another layer with a kernel of their own making."""

import keras
from keras import ops

from tfgans.layers.convolution import Conv2D, ConvMeanPool, UpsampleConv

_KINDS = (keras.layers.Dense, keras.layers.Conv2D, Conv2D, ConvMeanPool, UpsampleConv)


class KernelWrapper(keras.layers.Layer):
    """Applies a layer with another kernel, and maybe bias, than the variables it holds.

    A subclass says which: `kernel_in_use` and `bias_in_use`. The variables stay the optimiser's.

    Args:
        layer: `keras.layers.Dense`, `keras.layers.Conv2D` or a convolution of `tfgans.layers`,
            with no activation of its own.

    Raises:
        ValueError: If `layer` is of another kind or has an activation.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        if type(layer) not in _KINDS:
            names = ", ".join(dict.fromkeys(kind.__name__ for kind in _KINDS))
            raise ValueError(f"layer={layer!r} must be a {names}")
        if layer.activation is not keras.activations.linear:
            raise ValueError(f"{layer.name} must be without activation: put that in a layer after")
        self.layer = layer

    def build(self, input_shape):
        """Builds the inner layer."""
        if not self.layer.built:  # one read back from a file is
            self.layer.build(input_shape)

    def kernel_in_use(self, kernel):
        """Returns what takes the place of the kernel, a float32 tensor."""
        raise NotImplementedError

    def bias_in_use(self, bias):
        """Returns what takes the place of the bias, a variable."""
        return bias.value

    def call(self, inputs):
        """Applies the layer with the kernel and the bias in use."""
        kernel, *others = self.layer.weights
        values = [(kernel, self.kernel_in_use(ops.cast(kernel, "float32")))]
        values += [(other, self.bias_in_use(other)) for other in others]
        with keras.StatelessScope(values):  # in which the layer reads these
            return self.layer(inputs)

    def compute_output_shape(self, input_shape):
        """The shape that the inner layer gives."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        """Returns what rebuilds the layer."""
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the layer from `get_config`."""
        config = dict(config)
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)
