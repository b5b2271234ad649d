"""Multilayer perceptrons: the networks of the first GAN and of the first VAE."""

import math

import keras

from tfgans.layers import LeakyReLU, SpectralNormalization, WeightClip
from tfgans.networks.parts import image_input, with_closeness
from tfgans.networks.sizes import latent_input, layers_of
from tfgans.variant import DataSpec


def generator(data: DataSpec, *, latent_dim=64, width=256, num_layers=2):
    """Builds `latent_dim - width - ... - pixels`, ReLU inside and tanh at the end.

    Args:
        data: Shape of the pictures.
        latent_dim: Length of the latent vector.
        width: Units of each hidden layer.
        num_layers: Number of hidden layers.

    Returns:
        `keras.Model` from {"latent": `(batch, latent_dim)`} to images in [-1, 1].
    """
    latent = latent_input(latent_dim)
    image = _to_image(_hidden(latent, width, num_layers, "relu"), data)
    image = keras.layers.Activation("tanh", dtype="float32", name="image")(image)
    return keras.Model({"latent": latent}, image, name="generator")


def discriminator(
    data: DataSpec,
    *,
    width=256,
    num_layers=2,
    dropout=0.0,
    weight_clip=0.0,
    spectral_norm=False,
    packing=1,
    minibatch_discrimination=0,
    num_outputs=1,
):
    """Builds `pixels - width - ... - num_outputs` with LeakyReLU 0.2 and a linear output.

    Args:
        data: Shape of the pictures.
        width: Units of each hidden layer.
        num_layers: Number of hidden layers.
        dropout: Share of each hidden layer's units left out in training.
        weight_clip: Largest absolute value of every weight; 0 leaves them free.
        spectral_norm: Whether every kernel is divided by its largest singular value.
        packing: Pictures that it judges together, their channels side by side (PacGAN).
        minibatch_discrimination: Features of each picture's nearness to others of its batch, that
            are added to those of the last hidden layer.
        num_outputs: Numbers that it gives for each picture.

    Returns:
        `keras.Model` from {"image": `(batch, height, width, packing * channels)`} to logits
        `(batch, num_outputs)`.
    """
    clip = WeightClip(weight_clip) if weight_clip else None

    def dense(units, name=None):
        layer = keras.layers.Dense(units, kernel_constraint=clip, bias_constraint=clip, name=name)
        return SpectralNormalization(layer, name=name) if spectral_norm else layer

    image = image_input(data, packing)
    features = keras.layers.Flatten()(image)
    for _ in layers_of(num_layers):
        features = dense(width)(features)
        features = LeakyReLU(0.2)(features)
        if dropout:
            features = keras.layers.Dropout(dropout)(features)
    features = with_closeness(features, minibatch_discrimination, clip)
    logits = dense(num_outputs, name="logits")(features)
    return keras.Model({"image": image}, logits, name="discriminator")


def encoder(data: DataSpec, *, latent_dim=20, width=500, num_layers=1):
    """Builds `pixels - width - ... - (mean, log_variance)` with ReLU.

    Args:
        data: Shape of the pictures.
        latent_dim: Length of the latent vector; the decoder's must be the same.
        width: Units of each hidden layer.
        num_layers: Number of hidden layers.

    Returns:
        `keras.Model` from {"image": ...} to {"mean", "log_variance"}, each `(batch, latent_dim)`.
    """
    image = keras.Input(data.image_shape, name="image")
    features = _hidden(keras.layers.Flatten()(image), width, num_layers, "relu")
    mean = keras.layers.Dense(latent_dim, name="mean")(features)
    log_variance = keras.layers.Dense(latent_dim, name="log_variance")(features)
    outputs = {"mean": mean, "log_variance": log_variance}
    return keras.Model({"image": image}, outputs, name="encoder")


def decoder(data: DataSpec, *, latent_dim=20, width=500, num_layers=1):
    """Builds `latent_dim - width - ... - pixels` with ReLU and a linear output.

    Args:
        data: Shape of the pictures.
        latent_dim: Length of the latent vector.
        width: Units of each hidden layer.
        num_layers: Number of hidden layers.

    Returns:
        `keras.Model` from {"latent": `(batch, latent_dim)`} to pixel logits, shaped as images.
    """
    latent = latent_input(latent_dim)
    logits = _to_image(_hidden(latent, width, num_layers, "relu"), data)
    return keras.Model({"latent": latent}, logits, name="decoder")


def _hidden(features, width, num_layers, activation):
    for _ in layers_of(num_layers):
        features = keras.layers.Dense(width, activation=activation)(features)
    return features


def _to_image(features, data):
    pixels = keras.layers.Dense(math.prod(data.image_shape))(features)
    return keras.layers.Reshape(data.image_shape)(pixels)
