"""States of layers that move by the step and not by the call: power iterations, seeds, averages."""

import tensorflow as tf

from tfgans.layers import SpectralNormalization


def advance(network):
    """Does one power iteration in each spectrally normalised layer of a network."""
    for layer in _spectral(network):
        layer.advance()


def seed(networks, key_of):
    """Seeds the layers that draw, so that what they draw depends on a key and the replica alone.

    Args:
        networks: All that a step runs.
        key_of: From the index of a layer and the number of them to its key, a scalar.
    """
    drawing = [
        generator
        for network in networks
        for layer in network._flatten_layers()
        for generator in layer._seed_generators
    ]
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    for index, generator in enumerate(drawing):
        key = key_of(index, len(drawing)) + replica
        generator.state.assign(tf.cast(key, generator.state.dtype))


def follow(average, network, decay):
    """Moves an averaged network: a share of 1 - `decay` of each weight and statistic is new.

    Power iterations are no averages: the mean of unit vectors is shorter than one, and sigma would
    come out too small. The averaged kernels have iterations of their own.

    Args:
        average: A clone of `network`.
        network: The one that learns.
        decay: A scalar.
    """
    own = {id(vector) for layer in _spectral(average) for vector in (layer.u, layer.v)}
    for mean, variable in zip(average.variables, network.variables, strict=True):
        # What is not float32 is the state of a generator.
        if variable.dtype == "float32" and id(mean) not in own:
            mean.assign_sub((1.0 - decay) * (mean - variable))
    advance(average)


def _spectral(network):
    layers = network._flatten_layers()
    return [layer for layer in layers if isinstance(layer, SpectralNormalization)]
