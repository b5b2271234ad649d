"""Adversarial losses as pairs of pure functions from logits to a float32 scalar.

Every function averages over the batch and is to be minimised. `real_logits` and `fake_logits`
are the discriminator's outputs before any sigmoid, float32 of shape `(batch, 1)` (any shape
serves, so a patch discriminator does too). s is the logistic sigmoid, E a mean over the batch.
"""

import math

import tensorflow as tf

LOG_2 = math.log(2.0)


def minimax_discriminator(real_logits, fake_logits, *, real_target=1.0):
    """Cross-entropy of telling real from generated.

        -E[t log s(real) + (1 - t) log(1 - s(real))] - E log(1 - s(fake))

    With the optimal discriminator and a perfect generator its value is log 4.

    Args:
        real_logits: Discriminator outputs on real images.
        fake_logits: Discriminator outputs on generated images.
        real_target: t; below 1 it is one-sided label smoothing (Salimans et al., 2016).

    Returns:
        Scalar float32.

    Reference:
        Goodfellow et al., 2014, arXiv:1406.2661, Equation 1.
    """
    # -log s(l) = softplus(-l) and -log(1 - s(l)) = softplus(l) lose no digits at large |l|.
    real = real_target * tf.nn.softplus(-real_logits)
    smoothed = (1.0 - real_target) * tf.nn.softplus(real_logits)
    return tf.reduce_mean(real + smoothed) + tf.reduce_mean(tf.nn.softplus(fake_logits))


def minimax_generator(fake_logits):
    """The saturating generator loss, E log(1 - s(fake)).

    Its gradient dies where the discriminator is sure of itself: see `non_saturating_generator`.

    Args:
        fake_logits: Discriminator outputs on generated images.

    Returns:
        Scalar float32, never positive.

    Reference:
        Goodfellow et al., 2014, arXiv:1406.2661, Algorithm 1.
    """
    return -tf.reduce_mean(tf.nn.softplus(fake_logits))


def non_saturating_discriminator(real_logits, fake_logits, *, real_target=1.0):
    """The same as `minimax_discriminator`: only the generator's loss differs."""
    return minimax_discriminator(real_logits, fake_logits, real_target=real_target)


def non_saturating_generator(fake_logits):
    """The generator loss -E log s(fake): same fixed point, strong gradients early on.

    Args:
        fake_logits: Discriminator outputs on generated images.

    Returns:
        Scalar float32.

    Reference:
        Goodfellow et al., 2014, arXiv:1406.2661, Section 3, last paragraph.
    """
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def least_squares_discriminator(real_logits, fake_logits):
    """1/2 E(real - 1)^2 + 1/2 E fake^2.

    Args:
        real_logits: Discriminator outputs on real images.
        fake_logits: Discriminator outputs on generated images.

    Returns:
        Scalar float32.

    Reference:
        Mao et al., 2016, arXiv:1611.04076, Equation 9 (a = 0, b = 1).
    """
    real = tf.reduce_mean(tf.square(real_logits - 1.0))
    return 0.5 * (real + tf.reduce_mean(tf.square(fake_logits)))


def least_squares_generator(fake_logits):
    """1/2 E(fake - 1)^2.

    Args:
        fake_logits: Discriminator outputs on generated images.

    Returns:
        Scalar float32.

    Reference:
        Mao et al., 2016, arXiv:1611.04076, Equation 9 (c = 1).
    """
    return 0.5 * tf.reduce_mean(tf.square(fake_logits - 1.0))


def wasserstein_discriminator(real_logits, fake_logits):
    """E fake - E real: minus the critic's estimate of the earth mover's distance.

    Args:
        real_logits: Critic outputs on real images.
        fake_logits: Critic outputs on generated images.

    Returns:
        Scalar float32.

    Reference:
        Arjovsky et al., 2017, arXiv:1701.07875, Equation 2 and Algorithm 1, line 5.
    """
    return tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)


def wasserstein_generator(fake_logits):
    """-E fake.

    Args:
        fake_logits: Critic outputs on generated images.

    Returns:
        Scalar float32.

    Reference:
        Arjovsky et al., 2017, arXiv:1701.07875, Algorithm 1, line 10.
    """
    return -tf.reduce_mean(fake_logits)


def drift(real_logits):
    """E real^2: keeps the outputs of a Wasserstein critic, whose level is free, near to 0.

    Args:
        real_logits: Critic outputs on real images.

    Returns:
        Scalar float32, not yet weighted by epsilon, which is 0.001 in the paper.

    Reference:
        Karras et al., 2017, arXiv:1710.10196, Appendix A.1.
    """
    return tf.reduce_mean(tf.square(real_logits))


def hinge_discriminator(real_logits, fake_logits):
    """E relu(1 - real) + E relu(1 + fake): only what lies within the margin teaches.

    Args:
        real_logits: Discriminator outputs on real images.
        fake_logits: Discriminator outputs on generated images.

    Returns:
        Scalar float32.

    Reference:
        Lim and Ye, 2017, arXiv:1705.02894; Miyato et al., 2018, arXiv:1802.05957, Equation 16.
    """
    real = tf.reduce_mean(tf.nn.relu(1.0 - real_logits))
    return real + tf.reduce_mean(tf.nn.relu(1.0 + fake_logits))


def hinge_generator(fake_logits):
    """-E fake, the same as `wasserstein_generator`."""
    return wasserstein_generator(fake_logits)


def lipschitz_discriminator(real_logits, fake_logits, *, phi="exp"):
    """E phi(fake) + E phi(-real), for a critic whose slopes a penalty holds down.

    Args:
        real_logits: Critic outputs on real images.
        fake_logits: Critic outputs on generated images.
        phi: A growing convex function: exp, softplus, sqrt (x + sqrt(x^2 + 1)) or linear (x).
            exp overflows beyond logits of 88 in size.

    Returns:
        Scalar float32.

    Reference:
        Zhou et al., 2019, arXiv:1902.05687, Section 3.
    """
    convex = PHI[phi]
    return tf.reduce_mean(convex(fake_logits)) + tf.reduce_mean(convex(-real_logits))


def lipschitz_generator(fake_logits):
    """-E fake, the same as `wasserstein_generator`."""
    return wasserstein_generator(fake_logits)


PHI = {
    "exp": tf.exp,
    "softplus": tf.nn.softplus,
    "sqrt": lambda x: x + tf.sqrt(tf.square(x) + 1.0),
    "linear": tf.identity,
}


def f_divergence_discriminator(real_logits, fake_logits, *, divergence):
    """Minus the variational bound of an f-divergence of real from generated images.

        E f*(g(fake)) - E g(real)

    g maps logits into the domain of the conjugate f*; both grow with the logits. With the best
    discriminator its value is minus the divergence. kl, reverse_kl and squared_hellinger have an
    exponential in it, which overflows beyond logits of 88 in size.

    Args:
        real_logits: Discriminator outputs on real images.
        fake_logits: Discriminator outputs on generated images.
        divergence: kl, reverse_kl, pearson, squared_hellinger or jensen_shannon.

    Returns:
        Scalar float32.

    Reference:
        Nowozin et al., 2016, arXiv:1606.00709, Equation 7 and Tables 2 and 6.
    """
    activation, conjugate = DIVERGENCES[divergence]
    return tf.reduce_mean(conjugate(fake_logits)) - tf.reduce_mean(activation(real_logits))


def f_divergence_generator(fake_logits, *, divergence):
    """-E g(fake): the paper's practical form, of which non-saturating loss is an instance.

    Args:
        fake_logits: Discriminator outputs on generated images.
        divergence: As of `f_divergence_discriminator`.

    Returns:
        Scalar float32.

    Reference:
        Nowozin et al., 2016, arXiv:1606.00709, Section 3.2.
    """
    activation, _ = DIVERGENCES[divergence]
    return -tf.reduce_mean(activation(fake_logits))


# Divergence -> g and f*(g), both as functions of the logits.
DIVERGENCES = {
    "kl": (tf.identity, lambda v: tf.exp(v - 1.0)),
    "reverse_kl": (lambda v: -tf.exp(-v), lambda v: v - 1.0),
    "pearson": (tf.identity, lambda v: tf.square(v) / 4.0 + v),
    "squared_hellinger": (lambda v: 1.0 - tf.exp(-v), lambda v: tf.exp(v) - 1.0),
    "jensen_shannon": (
        lambda v: LOG_2 - tf.nn.softplus(-v),
        lambda v: tf.nn.softplus(v) - LOG_2,
    ),
}


def class_cross_entropy(class_logits, label):
    """Cross-entropy of telling the class, -E log softmax(class_logits)[label].

    Args:
        class_logits: float32 `(batch, num_classes)`.
        label: int32 `(batch,)`.

    Returns:
        Scalar float32.

    Reference:
        Odena et al., 2016, arXiv:1610.09585, Equation 3, with the other sign.
    """
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=class_logits)
    return tf.reduce_mean(each)
