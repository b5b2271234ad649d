"""What is trained: four games, with their pictures and noise, on NumPy alone; how it is timed."""

import dataclasses
import math
import pathlib
import time

import numpy as np

ELEMENTS = 10  # steps' worth of pictures that are held in memory, and steps of the check
SAMPLES_AT_ONCE = 64  # in which pictures are generated


@dataclasses.dataclass(frozen=True)
class Workload:
    """A game, the same for every contender.

    Attributes:
        variant: The row of the zoo whose scheme it is.
        networks: mlp, dcgan or resnet.
        loss: non_saturating, wasserstein or hinge.
        image_shape: (height, width, channels).
        batch: Pictures in a batch.
        latent_dim: Length of the latent vector.
        widths: Units or channels of generator and discriminator, as tfgans' builders count them.
        n_critic: Discriminator steps for each generator step.
        rate: Adam's step size, of both players; so small on `sngan_resnet` because the hinge hides
            what a discriminator does that has won.
        betas: Adam's decays.
        gp_weight: Weight of the gradient penalty, beside which nothing of the discriminator is
            batch-normalised; 0: none.
        steps: Steps to time.
    """

    variant: str
    networks: str
    loss: str
    image_shape: tuple[int, int, int]
    batch: int
    latent_dim: int
    widths: tuple[int, int]
    n_critic: int = 1
    rate: float = 2e-4
    betas: tuple[float, float] = (0.9, 0.999)
    gp_weight: float = 0.0
    steps: int = 40

    @property
    def adam(self):
        """Both optimisers' arguments; Keras and PyTorch disagree on where epsilon stands."""
        beta_1, beta_2 = self.betas
        return {"learning_rate": self.rate, "beta_1": beta_1, "beta_2": beta_2, "epsilon": 1e-12}

    @property
    def doublings(self):
        """How often the generator doubles its first map of 4 to 7 pixels."""
        return int(math.log2(self.image_shape[0] / 4))

    @property
    def first_side(self):
        """Side of that map in pixels."""
        return self.image_shape[0] >> self.doublings

    def tiny(self):
        """Returns it at the size of a test."""
        side, _, channels = self.image_shape
        side = side if side == 28 else side // 2
        sizes = {"image_shape": (side, side, channels), "latent_dim": 4, "widths": (8, 8)}
        return dataclasses.replace(self, **sizes, batch=6, n_critic=min(2, self.n_critic), steps=5)


SMALL, COLOUR, LARGE = (28, 28, 1), (32, 32, 3), (64, 64, 3)
WORKLOADS = {
    "mlp_gan": Workload("nsgan", "mlp", "non_saturating", SMALL, 100, 64, (256, 256), steps=400),
    "wgan_gp": Workload(
        "wgan_gp", "dcgan", "wasserstein", SMALL, 64, 64, (40, 64), 5, 2e-4, (0.0, 0.99), 10.0
    ),
    "dcgan64": Workload(
        "dcgan", "dcgan", "non_saturating", LARGE, 64, 100, (64, 64), betas=(0.5, 0.999)
    ),
    "sngan_resnet": Workload(
        "sngan_resnet", "resnet", "hinge", COLOUR, 64, 64, (64, 64), 5, 2e-5, (0.0, 0.9), steps=10
    ),
}


def game(name, tiny):
    """Returns a game by its name, at the size of a test or not."""
    return WORKLOADS[name].tiny() if tiny else WORKLOADS[name]


def prepare(workload, folder):
    """Writes the packaged digits, brought to the shape asked for, and the noise of the check."""
    from tfgans import data

    *size, channels = workload.image_shape
    digits = data.open_source("digits", image_size=tuple(size)).images()
    np.savez(pathlib.Path(folder, "pictures.npz"), images=np.repeat(digits, channels, axis=-1))
    draws = np.random.default_rng(0)
    shape = (ELEMENTS, workload.n_critic + 1, workload.batch)
    latent = draws.standard_normal((*shape, workload.latent_dim), np.float32)
    mix = draws.random((*shape, 1, 1, 1), np.float32)
    np.savez(pathlib.Path(folder, "noise.npz"), latent=latent, mix=mix)


def pictures(workload, folder):
    """Returns float32 `(ELEMENTS, n_critic, batch, height, width, channels)` in [-1, 1]."""
    shape = (ELEMENTS, workload.n_critic, workload.batch)
    images = np.load(pathlib.Path(folder, "pictures.npz"))["images"][: math.prod(shape)]
    return (images.astype(np.float32) / 127.5 - 1.0).reshape(*shape, *workload.image_shape)


def noise(workload, folder):
    """Returns for each step of the check its arrays in the order in which a step draws them."""
    stored = np.load(pathlib.Path(folder, "noise.npz"))
    kinds = [stored["latent"], stored["mix"]] if workload.gp_weight else [stored["latent"]]
    order = [(kind, part) for part in range(workload.n_critic) for kind in kinds]
    order.append((stored["latent"], workload.n_critic))  # the generator's
    return [[kind[step, part] for kind, part in order] for step in range(ELEMENTS)]


def latents(workload, count):
    """Returns float32 `(count, latent_dim)`, the same for all."""
    draws = np.random.default_rng(1)
    return draws.standard_normal((count, workload.latent_dim), np.float32)


def to_uint8(images):
    """Returns float32 images in [-1, 1] as uint8 pictures, rounded."""
    return np.clip(np.round((images + 1.0) * 127.5), 0, 255).astype(np.uint8)


def write_weights(folder, arrays):
    """Stores lists of arrays by name."""
    flat = {f"{name}/{i:03d}": array for name, row in arrays.items() for i, array in enumerate(row)}
    np.savez(pathlib.Path(folder, "weights.npz"), **flat)


def weights(folder, name):
    """Returns the list of arrays that was stored by that name."""
    stored = np.load(pathlib.Path(folder, "weights.npz"))
    return [stored[key] for key in sorted(stored) if key.startswith(f"{name}/")]


def timed(contender, count):
    """Returns the seconds of each of `count` steps."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        float(contender.step()["g_loss"])  # a loss that is known is a step that has ended
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds}


def duration(generate, count):
    """Returns the seconds that `count` pictures took."""
    start = time.perf_counter()
    found = generate(count)
    seconds = time.perf_counter() - start
    if len(found) != count or found.dtype != np.uint8:
        raise ValueError(f"{count} pictures were asked for, got {found.dtype} {found.shape}")
    return seconds
