"""Spectral normalisation whose state moves only when asked to."""

import math

import keras
from keras import ops


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

    The layer's input is divided by sigma rather than its output, which could overflow in
    float16; both are W / sigma, because the inner layer has no bias.

    Args:
        layer: `keras.layers.Dense` or `keras.layers.Conv2D` without a bias.
        use_bias: Whether to add a bias after the normalised layer.

    Raises:
        ValueError: If `layer` is of another kind or has a bias of its own.

    Reference:
        Miyato et al., 2018, arXiv:1802.05957, Section 2.1 and Algorithm 1.
    """

    def __init__(self, layer, use_bias=True, **kwargs):
        super().__init__(**kwargs)
        if type(layer) not in (keras.layers.Dense, keras.layers.Conv2D) or layer.use_bias:
            raise ValueError(f"layer={layer!r} must be a Dense or Conv2D with use_bias=False")
        self.layer = layer
        self.use_bias = use_bias

    def build(self, input_shape):
        """Builds the inner layer and does the first iteration."""
        self.layer.build(input_shape)
        *rows, out = self.layer.kernel.shape
        self.u = self._vector("u", out)
        self.v = self._vector("v", math.prod(rows))
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(shape=(out,), initializer="zeros", name="bias")
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
        """Applies the layer with kernel W / sigma(W), then the bias."""
        scaled = inputs / ops.cast(self.sigma(), inputs.dtype)
        outputs = self.layer(scaled)
        return outputs if self.bias is None else outputs + ops.cast(self.bias, outputs.dtype)

    def compute_output_shape(self, input_shape):
        """The shape that the inner layer gives."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        """Returns what rebuilds the layer."""
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer, "use_bias": self.use_bias}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the layer from `get_config`."""
        config = dict(config)
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)
