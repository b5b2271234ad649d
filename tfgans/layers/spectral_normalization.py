"""Spectral normalisation whose state moves only when asked to."""

import math

import keras
from keras import ops

from tfgans.layers.kernel_wrapper import KernelWrapper


@keras.saving.register_keras_serializable("tfgans")
class SpectralNormalization(KernelWrapper):
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

    def build(self, input_shape):
        """Builds the inner layer and does the first iteration."""
        super().build(input_shape)
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

    def kernel_in_use(self, kernel):
        """Returns W / sigma(W)."""
        return kernel / self.sigma()
