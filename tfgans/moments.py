"""How far apart two samples are by the moments that a kernel sees: the maximum mean discrepancy."""

import tensorflow as tf


def gaussian_kernel(one, other, bandwidths):
    """Returns the sum over bandwidths s of exp(-||x - y||^2 / (2 s^2)) for all pairs of rows.

    Args:
        one: float32 `(n, features)`.
        other: float32 `(m, features)`.
        bandwidths: List of numbers, in the units of the features.

    Returns:
        float32 `(n, m)`.

    Reference:
        Li et al., 2015, arXiv:1502.02761, Section 2.3.
    """
    squares = _squared_distances(one, other)
    return tf.add_n([tf.exp(-squares / (2.0 * width**2)) for width in bandwidths])


def rational_quadratic_kernel(one, other, alphas):
    """Returns the sum over alphas a of (1 + ||x - y||^2 / (2 a))^-a for all pairs of rows.

    Args:
        one: float32 `(n, features)`.
        other: float32 `(m, features)`.
        alphas: List of numbers; the smaller, the farther it sees.

    Returns:
        float32 `(n, m)`.

    Reference:
        Binkowski et al., 2018, arXiv:1801.01401, Section 2.1.
    """
    squares = _squared_distances(one, other)
    return tf.add_n([(1.0 + squares / (2.0 * alpha)) ** -alpha for alpha in alphas])


def squared_mmd(real, fake, kernel, *, unbiased=False):
    """Returns the squared maximum mean discrepancy of two samples.

        E k(x, x') + E k(y, y') - 2 E k(x, y)

    Args:
        real: float32 `(n, features)`.
        fake: float32 `(m, features)`.
        kernel: From two sets of rows to the kernel of all their pairs.
        unbiased: Whether pairs of an example with itself are left out; then it may be negative.

    Returns:
        Scalar float32.

    Reference:
        Gretton et al., 2012, JMLR 13, Equations 3 and 5.
    """
    within = tf.add_n([_mean(kernel(each, each), unbiased) for each in (real, fake)])
    return within - 2.0 * tf.reduce_mean(kernel(real, fake))


def witness(features, real, fake, kernel):
    """Returns where the kernel sees more of the real sample than of the generated one.

    Args:
        features: float32 `(n, features)`, where it is asked.
        real: float32 `(m, features)`.
        fake: float32 `(l, features)`.
        kernel: As of `squared_mmd`.

    Returns:
        float32 `(n, 1)`: the mean kernel to the real sample less that to the generated one.
    """
    means = [tf.reduce_mean(kernel(features, each), axis=1) for each in (real, fake)]
    return (means[0] - means[1])[:, None]


def _squared_distances(one, other):
    """Of all pairs of rows; what rounding makes negative is 0."""
    lengths = [tf.reduce_sum(tf.square(each), axis=1) for each in (one, other)]
    products = tf.matmul(one, other, transpose_b=True)
    return tf.nn.relu(lengths[0][:, None] + lengths[1][None] - 2.0 * products)


def _mean(kernel, unbiased):
    if not unbiased:
        return tf.reduce_mean(kernel)
    count = tf.cast(tf.shape(kernel)[0], tf.float32)
    return (tf.reduce_sum(kernel) - tf.linalg.trace(kernel)) / (count * (count - 1.0))
