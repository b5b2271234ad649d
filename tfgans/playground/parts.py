"""What small games share: perceptrons, compiled steps, and Gaussians on the line."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from tfgans import randomness

_FRAMES = 40


def generator(seed: int, inputs: int, outputs: int) -> keras.Model:
    """Builds a perceptron from float32 `(batch, inputs)` to `(batch, outputs)`.

    Args:
        seed: Seed of its weights.
        inputs: Length of a latent.
        outputs: Coordinates of a point.
    """
    *hidden, last = np.random.default_rng(seed).integers(2**31, size=3).tolist()
    return _perceptron(inputs, hidden, outputs, keras.initializers.HeNormal(last))


def judge(seed: int, inputs: int) -> keras.Model:
    """Builds a perceptron from float32 `(batch, inputs)` points to logits `(batch, 1)`.

    It starts flat, 0 everywhere.

    Args:
        seed: Seed of its weights, of which a generator's of the same seed are independent.
        inputs: Coordinates of a point.
    """
    hidden = np.random.default_rng((seed, 1)).integers(2**31, size=2).tolist()
    return _perceptron(inputs, hidden, 1, "zeros")


def _perceptron(inputs, seeds, outputs, last):
    # SiLU is smooth: the slopes by the inputs can be drawn.
    hidden = [
        keras.layers.Dense(64, "silu", kernel_initializer=keras.initializers.HeNormal(each))
        for each in seeds
    ]
    end = keras.layers.Dense(outputs, kernel_initializer=last)
    return keras.Sequential([keras.Input((inputs,)), *hidden, end])


def adam(network: keras.Model, rate: float, steps: int, beta_1: float):
    """Returns Adam for a network, its rate falling in a line to 0 over the steps."""
    schedule = keras.optimizers.schedules.PolynomialDecay(rate, steps, 0.0)
    optimizer = keras.optimizers.Adam(schedule, beta_1=beta_1, beta_2=0.99)
    optimizer.build(network.trainable_variables)
    return optimizer


def descend(network: keras.Model, optimizer, loss: Callable[[], tf.Tensor]) -> None:
    """Takes a step of an optimizer down the slope of `loss()`, a scalar, by the weights."""
    weights = network.trainable_variables
    with tf.GradientTape() as tape:
        value = loss()
    optimizer.apply(tape.gradient(value, weights), weights)


def marks(steps: int) -> list[int]:
    """Returns 0, then steps that lie closer early on, where more happens, and the last one."""
    return np.unique((np.linspace(0.0, 1.0, _FRAMES) ** 2 * steps).astype(int)).tolist()


def stepped(step: Callable[[tf.Tensor], None], steps: int) -> Iterator[int]:
    """Takes compiled steps, each told its number, and yields at every mark what is done."""

    @tf.function
    def train(first, last):
        for number in tf.range(first, last):
            step(number)

    for first, last in itertools.pairwise([0, *marks(steps)]):
        train(tf.constant(first), tf.constant(last))
        yield last


@dataclasses.dataclass(frozen=True)
class Gaussians:
    """Equally likely Gaussians on the line.

    Attributes:
        means: One of each.
        sigmas: Standard deviation of each.
    """

    means: tuple[float, ...]
    sigmas: tuple[float, ...]

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Returns the logarithm of the density at float64 `(n,)` points."""
        scaled = (points[:, None] - np.array(self.means)) / self.sigmas
        each = -0.5 * scaled**2 - np.log(np.sqrt(2.0 * np.pi) * np.array(self.sigmas))
        return np.logaddexp.reduce(each, axis=1) - np.log(len(self.means))

    def draw(self, seed: int, step, stream: str, n: int) -> tf.Tensor:
        """Draws float32 `(n, 1)` points, a function of seed, step and stream alone."""
        at = randomness.key(seed, step, f"{stream}/which")
        which = tf.random.stateless_uniform((n, 1), at, 0, len(self.means), tf.int32)
        noise = randomness.normal(seed, step, stream, (n, 1))
        return tf.gather(self.means, which) + tf.gather(self.sigmas, which) * noise
