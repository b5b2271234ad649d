"""Steps of a Keras optimiser that are worked out and not taken, so that gradients pass through."""

import keras
import tensorflow as tf

from tfgans import replicas
from tfgans.errors import UsageError


def look_ahead(variables, optimizer, loss, steps):
    """Returns what trainable variables would become after some steps of their optimiser.

    No variable changes. The first step goes on from the optimiser's own moments and count.

    Args:
        variables: Keras variables, all that the optimiser moves, in its order.
        optimizer: Keras Adam or SGD, built; may be loss-scaled, which is ignored.
        loss: Callable without arguments, which reads the variables, to a scalar; a mean over the
            rows of this replica.
        steps: Number of steps.

    Returns:
        List of tensors, differentiable by whatever the loss depends on.

    Raises:
        UsageError: If the optimiser is another.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    update, moments = _updates(inner)
    values = [tf.convert_to_tensor(variable.value) for variable in variables]
    state = [[tf.convert_to_tensor(each.value) for each in moment] for moment in moments]
    for done in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(values)
            with replaced(variables, values):
                value = loss()
        gradients = replicas.mean(tape.gradient(value, values))
        count = tf.cast(inner.iterations.value, tf.float32) + float(done + 1)
        moved = [
            update(inner, count, *each) for each in zip(values, gradients, *state, strict=True)
        ]
        values, *state = map(list, zip(*moved, strict=True))
        values = [_allowed(*each) for each in zip(variables, values, strict=True)]
    return values


def replaced(variables, values):
    """Returns a context in which Keras layers read these values and change no variable."""
    return keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True)))


def check(optimizer):
    """Refuses an optimiser whose steps `look_ahead` does not know.

    Raises:
        UsageError: If it is neither Adam nor SGD, or one with more to it than rates and moments.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    extras = ("amsgrad", "nesterov", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
    plain = not any(getattr(inner, extra, None) for extra in extras)
    if not (plain and isinstance(inner, (keras.optimizers.Adam, keras.optimizers.SGD))):
        raise UsageError(
            f"cannot look ahead with {type(inner).__name__}: plain Adam and SGD with momentum can"
        )


def _updates(optimizer):
    """Returns the function of an update, and the optimiser's moments, lists of variables."""
    check(optimizer)
    if isinstance(optimizer, keras.optimizers.Adam):
        return _adam, [optimizer._momentums, optimizer._velocities]
    return (_momentum, [optimizer.momentums]) if optimizer.momentum else (_descent, [])


def _adam(optimizer, count, value, gradient, first, second):
    """Returns a weight and its moments after Algorithm 1 of arXiv:1412.6980, as Keras has it."""
    first += (1.0 - optimizer.beta_1) * (gradient - first)
    second += (1.0 - optimizer.beta_2) * (tf.square(gradient) - second)
    corrections = 1.0 - tf.pow(optimizer.beta_1, count), 1.0 - tf.pow(optimizer.beta_2, count)
    rate = optimizer.learning_rate * tf.sqrt(corrections[1]) / corrections[0]
    # The derivative of a root is infinite at 0, where a unit is dead: take none there.
    alive = second > 0.0
    root = tf.where(alive, tf.sqrt(tf.where(alive, second, 1.0)), 0.0)
    return value - rate * first / (root + optimizer.epsilon), first, second


def _momentum(optimizer, count, value, gradient, velocity):
    del count
    velocity = optimizer.momentum * velocity - optimizer.learning_rate * gradient
    return value + velocity, velocity


def _descent(optimizer, count, value, gradient):
    del count
    return (value - optimizer.learning_rate * gradient,)


def _allowed(variable, value):
    return value if variable.constraint is None else variable.constraint(value)
