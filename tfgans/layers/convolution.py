"""Convolutions with `same` padding, whose gradients are those of `tfgans.layers.trilinear`.

Kernels, biases and results are those of Keras' layers, but for rounding.
"""

from typing import Any

import keras
import tensorflow as tf

from tfgans.layers.trilinear import convolve, spread


@keras.saving.register_keras_serializable("tfgans")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` that keeps the size, or divides it by its stride.

    Args:
        filters: Channels of the result.
        kernel_size: Side of the kernel in pixels.
        strides: Pixels from one window to the next, one number.
        **kwargs: Of `keras.layers.Conv2D`.

    Raises:
        ValueError: If another padding, dilation, grouping or order of axes is asked for.
    """

    def __init__(self, filters, kernel_size, strides=1, **kwargs):
        kwargs = {"padding": "same", **kwargs}
        super().__init__(filters, kernel_size, strides, **kwargs)
        _check(self)

    def convolution_op(self, inputs, kernel):
        """Convolves."""
        return convolve(inputs, tf.convert_to_tensor(kernel), self.strides[0])


@keras.saving.register_keras_serializable("tfgans")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` that multiplies the size by its stride.

    Args:
        filters: Channels of the result.
        kernel_size: Side of the kernel in pixels.
        strides: Pixels between what neighbouring pixels spread, one number.
        **kwargs: Of `keras.layers.Conv2DTranspose`.

    Raises:
        ValueError: If another padding, dilation or order of axes is asked for.
    """

    def __init__(self, filters, kernel_size, strides=1, **kwargs):
        kwargs = {"padding": "same", **kwargs}
        super().__init__(filters, kernel_size, strides, **kwargs)
        _check(self)

    def call(self, inputs):
        """Spreads each pixel by the kernel."""
        stride = self.strides[0]
        size = [stride * side for side in inputs.shape[1:3]]
        outputs = spread(inputs, tf.convert_to_tensor(self.kernel), stride, size)
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        return self.activation(outputs)


@keras.saving.register_keras_serializable("tfgans")
class ConvMeanPool(Conv2D):
    """Convolves and then halves the picture by means of 2x2 pixels.

    As one convolution of stride 2, whose kernel is the mean of the kernel moved by 0 and 1 pixel
    in both directions: of 3x3 it is 4x4, and 36 products a pixel become 16. A kernel of 1x1 comes
    after the pooling, as the two can be swapped.

    Args:
        filters: Channels of the result.
        kernel_size: Side of the kernel in pixels, odd.
        **kwargs: Of `keras.layers.Conv2D`.

    Raises:
        ValueError: If the side of the kernel is even, or one of the picture odd.

    Reference:
        The block of Gulrajani et al., 2017, arXiv:1704.00028, Appendix C.
    """

    def __init__(self, filters, kernel_size, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        _check_resampling(self)

    def build(self, input_shape):
        """Builds the kernel."""
        if any(side % 2 for side in input_shape[1:3]):
            raise ValueError(f"a picture of shape {input_shape} cannot be halved")
        super().build(input_shape)

    def convolution_op(self, inputs, kernel):
        """Convolves and halves."""
        kernel = tf.convert_to_tensor(kernel)
        if self.kernel_size == (1, 1):
            return convolve(tf.nn.avg_pool2d(inputs, 2, 2, "VALID"), kernel)
        return convolve(inputs, _moved(kernel) / 4.0, stride=2)

    def compute_output_shape(self, input_shape):
        """Half the height and width."""
        count, height, width, _ = input_shape
        return (count, height // 2, width // 2, self.filters)


@keras.saving.register_keras_serializable("tfgans")
class UpsampleConv(Conv2D):
    """Doubles the picture, each pixel becoming 2x2 of its kind, and then convolves.

    As one transposed convolution of stride 2, whose kernel is the sum of the kernel moved by 0 and
    1 pixel in both directions: 9 products a pixel become 4. A kernel of 1x1 comes before the
    doubling.

    Args:
        filters: Channels of the result.
        kernel_size: Side of the kernel in pixels, odd.
        **kwargs: Of `keras.layers.Conv2D`.

    Raises:
        ValueError: If the side of the kernel is even.

    Reference:
        The block of Gulrajani et al., 2017, arXiv:1704.00028, Appendix C.
    """

    def __init__(self, filters, kernel_size, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        _check_resampling(self)

    def convolution_op(self, inputs, kernel):
        """Doubles and convolves."""
        kernel = tf.convert_to_tensor(kernel)
        if self.kernel_size == (1, 1):
            small = convolve(inputs, kernel)
            return tf.repeat(tf.repeat(small, 2, axis=1), 2, axis=2)
        turned = tf.transpose(tf.reverse(_moved(kernel), (0, 1)), (0, 1, 3, 2))
        return spread(inputs, turned, 2, [2 * side for side in inputs.shape[1:3]])

    def compute_output_shape(self, input_shape):
        """Twice the height and width."""
        count, height, width, _ = input_shape
        return (count, 2 * height, 2 * width, self.filters)


def _check(layer):
    """Refuses what Keras' layer could do and ours would leave undone."""
    only: dict[str, Any] = {
        "padding": "same",
        "data_format": "channels_last",
        "dilation_rate": (1, 1),
    }
    only |= {"groups": 1, "output_padding": None, "strides": layer.strides[:1] * 2}
    for key, value in only.items():
        found = getattr(layer, key, value)
        if found != value:
            raise ValueError(f"{key}={found!r} must be {value!r} in {type(layer).__name__}")


def _check_resampling(layer):
    if any(side % 2 == 0 for side in layer.kernel_size):
        raise ValueError(f"kernel_size={layer.kernel_size!r} must be odd")
    if layer.strides != (1, 1):
        raise ValueError(f"strides={layer.strides!r} must be 1: the layer resamples by 2")


def _moved(kernel):
    """Returns the sum of a kernel moved by 0 and 1 pixel, down and to the right."""
    padded = tf.pad(kernel, [[1, 1], [1, 1], [0, 0], [0, 0]])
    rows = padded[1:] + padded[:-1]
    return rows[:, 1:] + rows[:, :-1]
