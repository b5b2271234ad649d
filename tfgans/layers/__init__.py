"""Registered Keras layers and constraints, one a file."""

from tfgans.layers.spectral_normalization import SpectralNormalization
from tfgans.layers.weight_clip import WeightClip

__all__ = ["SpectralNormalization", "WeightClip"]
