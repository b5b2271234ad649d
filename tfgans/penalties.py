"""Penalties: `(critic, real, fake)`, or kernels, -> float32 scalar, not yet weighted."""

import tensorflow as tf

from tfgans import replicas


def gradient_penalty(critic, real, fake, *, target=1.0, noise):
    """Penalises a critic whose gradient norm strays from `target`.

    The norm is taken at random points on the lines between `real` and `fake`:

        mean((||d critic(mixed) / d mixed||_2 - target)^2)

    Args:
        critic: Callable from images to float32 logits of shape `(batch, 1)`.
        real: float32 images of shape `(batch, height, width, channels)`, in [-1, 1].
        fake: Generated images, same shape and range as `real`.
        target: Wanted gradient norm; 1 for WGAN-GP, 0 for a zero-centred penalty.
        noise: float32 of shape `(batch, 1, 1, 1)`, uniform in [0, 1): the mixing weights.

    Returns:
        Scalar float32, not yet weighted by lambda.

    Raises:
        ValueError: If `real` and `fake` differ in static shape.

    Reference:
        Gulrajani et al., 2017, arXiv:1704.00028, Algorithm 1.
    """
    mixed = _between(real, fake, noise)
    return tf.reduce_mean(tf.square(gradient_norm(critic, mixed) - target))


def gradient_norm(critic, image):
    """Euclidean norm of the critic's gradient by each image.

    Args:
        critic: Callable from images to float32 logits of shape `(batch, 1)`.
        image: float32 images of shape `(batch, height, width, channels)`.

    Returns:
        float32 `(batch,)`. Where the gradient is exactly 0 so is the derivative of the norm.
    """
    _, squares = _logits_and_slopes(critic, image)
    # The derivative of a root is infinite at 0: take it at 1 there and mask the value out.
    nonzero = squares > 0.0
    return tf.where(nonzero, tf.sqrt(tf.where(nonzero, squares, 1.0)), 0.0)


def r1_penalty(critic, real, fake):
    """Penalises every slope of the discriminator at real images.

        mean(||d critic(real) / d real||_2^2)

    Args:
        critic: Callable from images to float32 logits of shape `(batch, 1)`.
        real: float32 images of shape `(batch, height, width, channels)`.
        fake: Not used.

    Returns:
        Scalar float32, not yet weighted by gamma / 2.

    Reference:
        Mescheder et al., 2018, arXiv:1801.04406, Equation 9.
    """
    del fake
    _, squares = _logits_and_slopes(critic, real)
    return tf.reduce_mean(squares)


def dragan_penalty(critic, real, fake, *, std, noise):
    """Penalises a critic whose gradient norm strays from 1 around real images.

        mean((||d critic(near) / d near||_2 - 1)^2),   near = real + std / 2 * noise

    Args:
        critic: Callable from images to float32 logits of shape `(batch, 1)`.
        real: float32 images of shape `(batch, height, width, channels)`.
        fake: Not used.
        std: Standard deviation of all pixels of the batch, a scalar.
        noise: float32 of the shape of `real`, uniform in [0, 1).

    Returns:
        Scalar float32, not yet weighted by lambda, which is 10 in the paper.

    Reference:
        Kodali et al., 2017, arXiv:1705.07215, Algorithm 1, with the noise of the authors' code.
    """
    del fake
    return tf.reduce_mean(tf.square(gradient_norm(critic, real + 0.5 * std * noise) - 1.0))


def roth_penalty(critic, real, fake):
    """Smooths the discriminator as noise on its inputs would, with s the logistic sigmoid.

        mean((1 - s(critic(real)))^2 ||d critic(real) / d real||_2^2)
        + mean(s(critic(fake))^2 ||d critic(fake) / d fake||_2^2)

    The slopes are of the logits; where the discriminator is sure and right they are free.

    Args:
        critic: Callable from images to float32 logits of shape `(batch, 1)`.
        real: float32 images of shape `(batch, height, width, channels)`.
        fake: Generated images, same shape as `real`.

    Returns:
        Scalar float32, not yet weighted by gamma / 2.

    Reference:
        Roth et al., 2017, arXiv:1705.09367, Algorithm 1.
    """
    real_logits, real_squares = _logits_and_slopes(critic, real)
    fake_logits, fake_squares = _logits_and_slopes(critic, fake)
    real_share = tf.square(tf.sigmoid(-tf.reshape(real_logits, (-1,))))
    fake_share = tf.square(tf.sigmoid(tf.reshape(fake_logits, (-1,))))
    return tf.reduce_mean(real_share * real_squares) + tf.reduce_mean(fake_share * fake_squares)


def lipschitz_penalty(critic, real, fake, *, noise):
    """Penalises the steepest slope that a critic has on the lines between `real` and `fake`.

        max(||d critic(mixed) / d mixed||_2^2)

    Args:
        critic: Callable from images to float32 logits of shape `(batch, 1)`.
        real: float32 images of shape `(batch, height, width, channels)`.
        fake: Generated images, same shape as `real`.
        noise: float32 of shape `(batch, 1, 1, 1)`, uniform in [0, 1): the mixing weights.

    Returns:
        Scalar float32, not yet weighted by lambda; the largest over all replicas.

    Raises:
        ValueError: If `real` and `fake` differ in static shape.

    Reference:
        Zhou et al., 2019, arXiv:1902.05687.
    """
    _, squares = _logits_and_slopes(critic, _between(real, fake, noise))
    return tf.reduce_max(replicas.gathered(squares))


def _between(real, fake, noise):
    """Returns points on the lines between real and generated images."""
    if not real.shape.is_compatible_with(fake.shape):
        raise ValueError(f"real and fake must have one shape, got {real.shape} and {fake.shape}")
    return noise * real + (1.0 - noise) * fake


def _logits_and_slopes(critic, image):
    """Returns a critic's logits at images, and the squared norm of their gradient by each."""
    with tf.GradientTape() as tape:
        tape.watch(image)
        logits = critic(image)
    gradient = tf.cast(tape.gradient(logits, image), tf.float32)
    return logits, tf.reduce_sum(tf.square(gradient), axis=list(range(1, image.shape.rank)))


def orthogonal_regularizer(kernels):
    """Penalises kernels whose columns, one for each output, are not orthogonal to one another.

    With each kernel as a matrix W of shape `(height * width * in, out)`:

        sum over kernels of || W^T W * (1 - I) ||_F^2

    The columns' own lengths are free.

    Args:
        kernels: List of variables or tensors of shape `(..., out)`.

    Returns:
        Scalar float32, not yet weighted by beta, which is 1e-4 in the paper.

    Reference:
        Brock et al., 2018, arXiv:1809.11096, Equation 3.
    """
    terms = []
    for kernel in kernels:
        matrix = tf.reshape(tf.cast(kernel, tf.float32), (-1, kernel.shape[-1]))
        products = tf.matmul(matrix, matrix, transpose_a=True)
        between = tf.linalg.set_diag(products, tf.zeros(products.shape[0]))
        terms.append(tf.reduce_sum(tf.square(between)))
    return tf.add_n(terms)
