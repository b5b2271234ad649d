"""Loss terms that compare with the data or with a prior; no discriminator takes part."""

import math

import tensorflow as tf


def gaussian_nll(mean, image, log_sigma=0.0):
    """Negative log-likelihood of `image` under N(mean, sigma^2), summed over its pixels.

    Args:
        mean: float32 `(batch, height, width, channels)`, the decoder's picture.
        image: Same shape, the data.
        log_sigma: Logarithm of the standard deviation, a scalar.

    Returns:
        float32 `(batch,)`, nats.
    """
    axes = list(range(1, image.shape.rank))
    scaled = tf.square((image - mean) * tf.exp(-tf.cast(log_sigma, image.dtype)))
    return tf.reduce_sum(0.5 * (scaled + math.log(2 * math.pi)) + log_sigma, axis=axes)


def bernoulli_nll(logits, image):
    """Cross-entropy of pixels, summed over each picture; grey values count as probabilities.

    Args:
        logits: float32 `(batch, height, width, channels)`.
        image: Same shape, in [-1, 1]; -1 is probability 0 and 1 is probability 1.

    Returns:
        float32 `(batch,)`, nats.
    """
    axes = list(range(1, image.shape.rank))
    target = (image + 1.0) / 2.0
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(target, logits)
    return tf.reduce_sum(cross_entropy, axis=axes)


def standard_normal_kl(mean, log_variance):
    """KL(N(mean, diag exp(log_variance)) || N(0, I)) of each example.

        1/2 sum(exp(log_variance) + mean^2 - 1 - log_variance)

    Args:
        mean: float32 `(batch, latent_dim)`.
        log_variance: Same shape.

    Returns:
        float32 `(batch,)`, nats.

    Reference:
        Kingma and Welling, 2013, arXiv:1312.6114, Appendix B.
    """
    terms = tf.exp(log_variance) + tf.square(mean) - 1.0 - log_variance
    return 0.5 * tf.reduce_sum(terms, axis=-1)
