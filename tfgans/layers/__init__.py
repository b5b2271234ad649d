"""Registered Keras layers and constraints."""

from tfgans.layers.batch_normalization import BatchNormalization
from tfgans.layers.convolution import Conv2D, Conv2DTranspose, ConvMeanPool, UpsampleConv
from tfgans.layers.leaky_relu import LeakyReLU
from tfgans.layers.spectral_normalization import SpectralNormalization
from tfgans.layers.weight_clip import WeightClip

__all__ = [
    "BatchNormalization",
    "Conv2D",
    "Conv2DTranspose",
    "ConvMeanPool",
    "LeakyReLU",
    "SpectralNormalization",
    "UpsampleConv",
    "WeightClip",
]
