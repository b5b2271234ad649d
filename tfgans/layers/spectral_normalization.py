"""Spectral normalisation whose state moves only when asked to."""

import math

import keras
from keras import ops

from tfgans.layers.convolution import Conv2D, ConvMeanPool, UpsampleConv

_KINDS = (keras.layers.Dense, keras.layers.Conv2D, Conv2D, ConvMeanPool, UpsampleConv)


@keras.saving.register_keras_serializable("tfgans")
class SpectralNormalization(keras.layers.Layer):
    """Divides a layer's kernel W by its largest singular value sigma(W).

    W is the kernel as a matrix of shape `(height * width * in, out)`. sigma is estimated by
    power iteration with vectors u and v that are constants in the gradient:

        v <- u W^T / |u W^T|,  u <- v W / |v W|,  sigma = v W u^T

    Unlike `keras.layers.SpectralNormalization`, a forward pass never changes anything: `advance`
    does one iteration, and the training loop calls it once for each update of the player that
    owns the layer. So the real and the generated batch, the gradient penalty and the other
    player's step all see one and the same function, and the kernel is only the optimiser's.

    Args:
        layer: `keras.layers.Dense`, `keras.layers.Conv2D` or a convolution of `tfgans.layers`,
            with no activation of its own.

    Raises:
        ValueError: If `layer` is of another kind or has an activation.

    Reference:
        Miyato et al., 2018, arXiv:1802.05957, Section 2.1 and Algorithm 1.
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
        """Builds the inner layer and does the first iteration."""
        if not self.layer.built:  # one read back from a file is
            self.layer.build(input_shape)
        *rows, out = self.layer.kernel.shape
        self.u = self._vector("u", out)
        self.v = self._vector("v", math.prod(rows))
        self.advance()

    def _vector(self, name, size):
        return self.add_weight(
            shape=(1, size),
            initializer="random_normal",
            trainable=False,
            autocast=False,
            dtype="float32",
            name=name,
        )

    def _matrix(self):
        kernel = ops.cast(self.layer.kernel, "float32")
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    def advance(self):
        """Does one power iteration: moves u and v, and so the estimate of sigma."""
        matrix = self._matrix()
        v = ops.normalize(ops.matmul(self.u, ops.transpose(matrix)), axis=-1)
        self.v.assign(v)
        self.u.assign(ops.normalize(ops.matmul(v, matrix), axis=-1))

    def sigma(self):
        """Returns the estimate of the largest singular value, differentiable by the kernel."""
        return ops.sum(ops.matmul(self.v, self._matrix()) * self.u)

    def call(self, inputs):
        """Applies the layer with kernel W / sigma(W)."""
        kernel, *others = self.layer.weights
        values = [(kernel, ops.cast(kernel, "float32") / self.sigma())]
        values += [(other, other.value) for other in others]
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
