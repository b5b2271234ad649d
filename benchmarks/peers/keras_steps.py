"""What both Keras contenders share: a compiled `train_step` on batches in memory."""

import itertools
import math

import tensorflow as tf

from peers import workloads


class KerasSteps:
    """Drives a Keras GAN with `g_optimizer` and `d_optimizer`.

    Args:
        model: A compiled model.
        elements: What the calls of `train_step` take, in turn.
        workload: The game.
        folder: Where the noise is.
    """

    timed = workloads.timed

    def __init__(self, model, elements, workload, folder):
        self.model, self.workload, self.folder = model, workload, folder
        self.elements = itertools.cycle(elements)
        self.players = {
            "generator": (model.generator, model.g_optimizer),
            "discriminator": (model.discriminator, model.d_optimizer),
        }
        self.train_step = tf.function(
            model.train_step, jit_compile=model.jit_compile, reduce_retracing=True
        )

    def step(self):
        """Plays a step on the next pictures; returns `d_loss` and `g_loss`."""
        return self.train_step(next(self.elements))

    def check(self):
        """Plays steps whose noise the graph reads from variables; returns the losses of each."""
        steps = workloads.noise(self.workload, self.folder)
        slots = [tf.Variable(array) for array in steps[0]]
        self.draw_from(itertools.cycle(slots))
        losses = []
        for arrays in steps:
            for slot, array in zip(slots, arrays, strict=True):
                slot.assign(array)
            losses.append({name: float(value) for name, value in self.losses().items()})
        return losses

    def losses(self):
        """Plays a step; returns its own losses, with `d_loss` including penalties."""
        return self.step()

    def parameters(self):
        """Returns the number of trainable weights of each player."""
        return {
            player: sum(math.prod(variable.shape) for variable in network.trainable_variables)
            for player, (network, _) in self.players.items()
        }

    def updates(self):
        """Returns the number of steps that each player's optimiser has taken."""
        return {player: int(one.iterations.numpy()) for player, (_, one) in self.players.items()}

    def flops(self):
        """Returns the FLOPs of products and convolutions in the graph of one step."""
        graph = self.train_step.get_concrete_function(next(self.elements)).graph
        return sum(_flops(operation) for operation in _needed(graph))


def _needed(graph):
    """Returns the operations on which outputs and side effects depend; the rest is pruned."""
    waiting = [output.op for output in graph.outputs] + list(graph.control_outputs)
    needed = set()
    while waiting:
        operation = waiting.pop()
        if operation not in needed:
            needed.add(operation)
            waiting += [tensor.op for tensor in operation.inputs] + operation.control_inputs
    return needed


def _flops(operation):
    """Two for each multiplication with addition of a product or a convolution."""
    shapes = [tensor.shape for tensor in (*operation.inputs, *operation.outputs)]
    if operation.type == "MatMul":
        common = shapes[0][0 if operation.get_attr("transpose_a") else 1]
        return 2 * math.prod(shapes[-1]) * common
    # The map of the convolution's output, and its kernel (height, width, in, out).
    places = {"Conv2D": (-1, 1), "Conv2DBackpropInput": (2, 1), "Conv2DBackpropFilter": (2, -1)}
    if operation.type not in places:
        return 0
    output, kernel = (shapes[place] for place in places[operation.type])
    return 2 * math.prod(output) * math.prod(kernel[:3])
