"""Networks of the ring on which unrolled GANs were shown: tanh units, orthogonal kernels.

Both work in the units of that ring, of radius 1.

Reference:
    Metz et al., 2016, arXiv:1611.02163, Section 3.1, by the code they published; Appendix A has
    others, with ReLU, and a ring of radius 2.
"""

import math

import keras

from tfgans.networks.parts import image_input
from tfgans.networks.sizes import latent_input, layers_of
from tfgans.variant import DataSpec

_GAIN = 1.4
_UNITS = 2.0  # a picture's in theirs: their ring has a radius of 1, ours as a picture one of 0.5


def generator(data: DataSpec, *, latent_dim=256, width=128, num_layers=2):
    """Builds `latent_dim - width - ... - numbers`, tanh inside and linear at the end.

    Args:
        data: Shape of the pictures.
        latent_dim: Length of the latent vector.
        width: Units of each hidden layer.
        num_layers: Number of hidden layers.

    Returns:
        `keras.Model` from {"latent": `(batch, latent_dim)`} to images.
    """
    latent = latent_input(latent_dim)
    numbers = _dense(math.prod(data.image_shape))(_hidden(latent, width, num_layers))
    numbers = keras.layers.Rescaling(1.0 / _UNITS)(numbers)
    image = keras.layers.Reshape(data.image_shape, dtype="float32", name="image")(numbers)
    return keras.Model({"latent": latent}, image, name="generator")


def discriminator(data: DataSpec, *, width=128, num_layers=2, packing=1):
    """Builds `numbers - width - ... - 1`, tanh inside and linear at the end.

    Args:
        data: Shape of the pictures.
        width: Units of each hidden layer.
        num_layers: Number of hidden layers.
        packing: Pictures that it judges together, their channels side by side (PacGAN).

    Returns:
        `keras.Model` from {"image": `(batch, height, width, packing * channels)`} to logits
        `(batch, 1)`.
    """
    image = image_input(data, packing)
    numbers = keras.layers.Rescaling(_UNITS)(keras.layers.Flatten()(image))
    features = _hidden(numbers, width, num_layers)
    return keras.Model({"image": image}, _dense(1)(features), name="discriminator")


def _hidden(features, width, num_layers):
    for _ in layers_of(num_layers):
        features = _dense(width, "tanh")(features)
    return features


def _dense(units, activation=None):
    orthogonal = keras.initializers.Orthogonal(gain=_GAIN)
    return keras.layers.Dense(units, activation, kernel_initializer=orthogonal)
