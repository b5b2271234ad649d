"""Equalised learning rate: He's scale as a factor in each pass, not in the initial weights."""

import math

import keras
from keras import ops

from tfgans.layers.kernel_wrapper import KernelWrapper


@keras.saving.register_keras_serializable("tfgans")
class EqualizedLearningRate(KernelWrapper):
    """Applies a layer with its kernel times a constant, so that all kernels learn equally fast.

    The kernel w is drawn from N(0, 1 / lr_multiplier^2), and what is applied is

        w * lr_multiplier * gain / sqrt(fan_in),  b * lr_multiplier

    Adam moves each number by about its learning rate, whatever the gradient's scale: with numbers
    of one size everywhere, a step changes every layer by the same share.

    Args:
        layer: `keras.layers.Dense`, `keras.layers.Conv2D` or a convolution of `tfgans.layers`,
            with no activation of its own. Its `kernel_initializer` is replaced.
        gain: He's factor, sqrt(2) before a ReLU and 1 before nothing.
        lr_multiplier: Speed at which the layer learns, relative to the others; 0.01 in StyleGAN's
            mapping network.

    Raises:
        ValueError: If `layer` is of another kind or has an activation, or `lr_multiplier` is not
            positive.

    Reference:
        Karras et al., 2017, arXiv:1710.10196, Section 4.1; for `lr_multiplier` Karras et al.,
        2018, arXiv:1812.04948, Appendix C.
    """

    def __init__(self, layer, gain=2**0.5, lr_multiplier=1.0, **kwargs):
        super().__init__(layer, **kwargs)
        if lr_multiplier <= 0:
            raise ValueError(f"lr_multiplier={lr_multiplier!r} must be > 0")
        self.gain, self.lr_multiplier = gain, lr_multiplier
        layer.kernel_initializer = keras.initializers.RandomNormal(stddev=1.0 / lr_multiplier)

    def kernel_in_use(self, kernel):
        """Returns the kernel times He's constant and the multiplier."""
        fan_in = math.prod(kernel.shape[:-1])  # of the kernel itself, also where it resamples
        return kernel * (self.gain * self.lr_multiplier / math.sqrt(fan_in))

    def bias_in_use(self, bias):
        """Returns the bias times the multiplier."""
        return ops.cast(bias, "float32") * self.lr_multiplier

    def get_config(self):
        """Returns what rebuilds the layer."""
        own = {"gain": self.gain, "lr_multiplier": self.lr_multiplier}
        return {**super().get_config(), **own}
