"""What the replicas of a model, each at work on its slice of a batch, have to tell each other."""

import threading

import keras
import tensorflow as tf


class Notes(threading.local):
    """What a step remembers while it runs, of each replica, which are threads, its own.

    Attributes:
        part: Which critic batch is at work.
        piece: `(index, count)`: which piece of this replica's rows of it.
        watched: Values that `track` adds to the logs.
    """

    def __init__(self):
        self.part = 0
        self.piece = (0, 1)
        self.watched: dict[str, tf.Tensor] = {}


class Mean(keras.metrics.Mean):
    """A running mean that each replica keeps for itself, as all are given the same values.

    Keras' own asks the other replicas at each reading and at each reset.
    """

    def add_variable(self, shape, initializer, dtype=None, aggregation=None, name=None):
        """Adds a variable that is not summed over the replicas."""
        return keras.Variable(initializer, shape, dtype, trainable=False, name=name)


def several() -> bool:
    """Whether the strategy in scope has more replicas than one."""
    return tf.distribute.get_strategy().num_replicas_in_sync > 1


def mean(values: list) -> list:
    """Returns the means over all replicas of a list of tensors, where a None stays a None."""
    if not several():
        return values
    known = [value for value in values if value is not None]
    context = tf.distribute.get_replica_context()
    means = iter(context.all_reduce(tf.distribute.ReduceOp.MEAN, known))
    return [None if value is None else next(means) for value in values]


def gathered(values):
    """Returns the rows of all replicas, with gradients that `mean` makes those of the whole."""
    if not several():
        return values
    return tf.distribute.get_replica_context().all_gather(values, axis=0)


def std(values):
    """Returns the standard deviation of all numbers of all replicas, a scalar."""
    first, second = mean([tf.reduce_mean(values), tf.reduce_mean(tf.square(values))])
    return tf.sqrt(tf.maximum(second - tf.square(first), 0.0))


def expecting_means(optimizer):
    """Keeps a Keras optimiser from summing the gradients of the replicas, and returns it.

    They come to it as means already: so their norm is that of the whole batch, and an overflow in
    one replica is one in all, which `LossScaleOptimizer` would not see. Of one replica the sum
    would be an `IdentityN` of all gradients, which leads TensorFlow's dependency optimizer astray:
    it drops orders that follow from that node, then the node, and two updates of one variable in a
    step may change places.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    inner._all_reduce_sum_gradients = lambda pairs: pairs
    return optimizer


def train_function(model):
    """Returns a step of all replicas for `fit`, whose logs are equal on all, as `track` made them.

    Keras' own would average them once more, and cannot with several workers (keras#20585).
    """
    strategy = model.distribute_strategy

    def step(iterator):
        logs = strategy.run(model.train_step, args=(next(iterator),))
        return {name: strategy.experimental_local_results(logs[name])[0] for name in logs}

    if model.run_eagerly:
        return step
    return tf.function(step, autograph=False)


def in_pieces(work, batch: dict, count: int, notes: Notes):
    """Works through equal pieces of a batch one after the other; returns the means of the results.

    Each piece waits for the ones before, so that only one needs memory at a time.

    Args:
        work: From a batch to a nest of tensors, each a mean over its rows.
        batch: dict of tensors with the rows of this replica.
        count: Number of pieces.
        notes: Of the step, which learn what piece is at work.

    Raises:
        ValueError: If the rows do not divide into so many pieces.
    """
    if count == 1:
        return work(batch)
    size, rest = divmod(next(iter(batch.values())).shape[0], count)
    if rest:
        raise ValueError(f"a batch of {size * count + rest} rows is not {count} equal pieces")
    total = None
    for index in range(count):
        notes.piece = (index, count)
        done = [one for one in tf.nest.flatten(total) if one is not None]
        with tf.control_dependencies(done):
            rows = slice(index * size, (index + 1) * size)
            result = work({name: tf.identity(whole[rows]) for name, whole in batch.items()})
            total = result if total is None else tf.nest.map_structure(_plus, total, result)
    notes.piece = (0, 1)
    return tf.nest.map_structure(lambda one: None if one is None else one / count, total)


def _plus(total, one):
    return None if one is None else total + one
