"""Self-attention over the positions of feature maps."""

import keras
import tensorflow as tf

from tfgans.layers.convolution import Conv2D
from tfgans.layers.spectral_normalization import SpectralNormalization

_KEY_DIVISOR = 8


@keras.saving.register_keras_serializable("tfgans")
class SelfAttention(keras.layers.Layer):
    """Adds to each position a mean of what stands at all positions that are like it.

    With f, g and h convolutions of 1x1 to C / 8, C / 8 and C / `value_divisor` channels:

        s_ij = <f(x_i), g(x_j)>,  b_ji = exp(s_ij) / sum_i exp(s_ij)
        o_j = sum_i b_ji h(x_i),  y_j = gamma o_j + x_j,  gamma a number that starts at 0

    As it stands it is SAGAN's. BigGAN's has `pool=True`, `value_divisor=2`, `use_bias=False`. The
    logits s and the softmax are computed in float32.

    Args:
        spectral_norm: Whether all convolutions are spectrally normalised.
        pool: Whether f(x) and h(x) are halved by maxima of 2x2 pixels: a quarter of the memory.
        value_divisor: Above 1, a further convolution of 1x1 leads from the mean back to C channels.
        use_bias: Whether the convolutions have biases.
        kernel_initializer: Of the convolutions.
        constraint: Of all weights, biases and gamma too.

    Call arguments:
        inputs: `(batch, height, width, C)`.

    Raises:
        ValueError: If `value_divisor` is not positive, or a picture has too few pixels to pool.

    Reference:
        Zhang et al., 2018, arXiv:1805.08318, Section 3, Equations 1 to 3; Brock et al., 2018,
        arXiv:1809.11096, Appendix B.
    """

    def __init__(
        self,
        spectral_norm=False,
        pool=False,
        value_divisor=1,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if value_divisor < 1:
            raise ValueError(f"value_divisor={value_divisor!r} must be >= 1")
        self.spectral_norm, self.pool, self.value_divisor = spectral_norm, pool, value_divisor
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.constraint = keras.constraints.get(constraint)

    def build(self, input_shape):
        """Builds the convolutions and gamma."""
        _, height, width, channels = input_shape
        if self.pool and min(height, width) < 2:
            raise ValueError(f"maps of shape {input_shape} are too small for pool=True")
        keys, values = (max(1, channels // part) for part in (_KEY_DIVISOR, self.value_divisor))
        self.key = self._convolution(keys, "key", input_shape)
        self.query = self._convolution(keys, "query", input_shape)
        self.value = self._convolution(values, "value", input_shape)
        self.back = None
        if self.value_divisor > 1:
            self.back = self._convolution(channels, "back", (*input_shape[:-1], values))
        self.gamma = self.add_weight(
            shape=(), initializer="zeros", name="gamma", constraint=self.constraint
        )

    def _convolution(self, filters, name, input_shape):
        # An initialiser draws the same numbers each time it is called: each needs its own.
        initializer = keras.initializers.serialize(self.kernel_initializer)
        layer = Conv2D(
            filters,
            1,
            use_bias=self.use_bias,
            kernel_initializer=keras.initializers.deserialize(initializer),
            kernel_constraint=self.constraint,
            bias_constraint=self.constraint,
            dtype=self.dtype_policy,
            name=name,
        )
        if self.spectral_norm:
            layer = SpectralNormalization(layer, dtype=self.dtype_policy, name=name)
        layer.build(input_shape)
        return layer

    def call(self, inputs):
        """Attends."""
        keys, queries, values = self.key(inputs), self.query(inputs), self.value(inputs)
        if self.pool:
            keys, values = (tf.nn.max_pool2d(maps, 2, 2, "VALID") for maps in (keys, values))
        # Products of half-precision numbers may be too large for it.
        keys, queries = (tf.cast(_in_a_row(maps), tf.float32) for maps in (keys, queries))
        weights = tf.nn.softmax(tf.matmul(queries, keys, transpose_b=True), axis=-1)
        means = tf.matmul(tf.cast(weights, values.dtype), _in_a_row(values))
        means = tf.reshape(means, (-1, *inputs.shape[1:3], values.shape[-1]))
        if self.back is not None:
            means = self.back(means)
        return tf.convert_to_tensor(self.gamma) * means + inputs

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return input_shape

    def get_config(self):
        """Returns what rebuilds the layer."""
        names = ("spectral_norm", "pool", "value_divisor", "use_bias")
        own = {name: getattr(self, name) for name in names}
        own["kernel_initializer"] = keras.initializers.serialize(self.kernel_initializer)
        own["constraint"] = keras.constraints.serialize(self.constraint)
        return {**super().get_config(), **own}


def _in_a_row(maps):
    """Returns maps as `(batch, positions, channels)`."""
    _, height, width, channels = maps.shape
    return tf.reshape(maps, (-1, height * width, channels))
