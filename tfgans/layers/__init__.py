"""Registered Keras layers and constraints, one a file."""

from tfgans.layers.leaky_relu import LeakyReLU
from tfgans.layers.spectral_normalization import SpectralNormalization
from tfgans.layers.weight_clip import WeightClip

__all__ = ["LeakyReLU", "SpectralNormalization", "WeightClip"]
