"""Registered Keras layers and constraints."""

from tfgans.layers.adaptive_instance_normalization import AdaptiveInstanceNormalization
from tfgans.layers.batch_normalization import BatchNormalization
from tfgans.layers.conditional_batch_normalization import ConditionalBatchNormalization
from tfgans.layers.convolution import Conv2D, Conv2DTranspose, ConvMeanPool, UpsampleConv
from tfgans.layers.crossfade import Crossfade
from tfgans.layers.equalized_learning_rate import EqualizedLearningRate
from tfgans.layers.leaky_relu import LeakyReLU
from tfgans.layers.learned_constant import LearnedConstant
from tfgans.layers.minibatch_discrimination import MinibatchDiscrimination
from tfgans.layers.minibatch_stddev import MinibatchStddev
from tfgans.layers.noise_injection import NoiseInjection
from tfgans.layers.pixel_normalization import PixelNormalization
from tfgans.layers.self_attention import SelfAttention
from tfgans.layers.spectral_normalization import SpectralNormalization
from tfgans.layers.style_mixing import StyleMixing
from tfgans.layers.style_truncation import StyleTruncation
from tfgans.layers.weight_clip import WeightClip

__all__ = [
    "AdaptiveInstanceNormalization",
    "BatchNormalization",
    "ConditionalBatchNormalization",
    "Conv2D",
    "Conv2DTranspose",
    "ConvMeanPool",
    "Crossfade",
    "EqualizedLearningRate",
    "LeakyReLU",
    "LearnedConstant",
    "MinibatchDiscrimination",
    "MinibatchStddev",
    "NoiseInjection",
    "PixelNormalization",
    "SelfAttention",
    "SpectralNormalization",
    "StyleMixing",
    "StyleTruncation",
    "UpsampleConv",
    "WeightClip",
]
