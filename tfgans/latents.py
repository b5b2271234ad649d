"""Ways through the latent space: arcs between latents, sums of means, and along a direction.

Normal latents of many numbers all have nearly one length; on a straight line the middle lies
nearer to 0 than any of training does. So their way is an arc, and sums are brought to that length.
Uniform ones fill a cube, and their way is straight.
"""

import re
from collections.abc import Sequence

import numpy as np

from tfgans.errors import UsageError

NEIGHBOUR_RANGE = 0.25  # of the noise around a sum, as in DCGAN's Figure 7
_NUMBERS = "[0-9]{1,9}(,[0-9]{1,9})*"

# Signs with numbers of pictures: `3,7 - 4` is [(1, [3, 7]), (-1, [4])].
Groups = Sequence[tuple[int, list[int]]]


def between(start: np.ndarray, end: np.ndarray, num: int, *, uniform: bool = False) -> np.ndarray:
    """Returns `num` latents on the way from each row of `start` to that of `end`, ends included.

    Args:
        start: float `(n, latent_dim)`.
        end: float `(n, latent_dim)`.
        num: Latents of each way, at least 2.
        uniform: Whether latents are uniform on [-1, 1], instead of normal.

    Returns:
        float32 `(n, num, latent_dim)`.

    Reference:
        Shoemake, 1985, Animating Rotation with Quaternion Curves, Section 3.3; for latents White,
        2016, arXiv:1609.04468, Section 2.1.
    """
    start, end = (np.asarray(rows, np.float64)[:, None, :] for rows in (start, end))
    share = np.linspace(0.0, 1.0, num)[:, None]
    straight = (1 - share) * start + share * end
    if uniform or start.shape[-1] == 1:
        return straight.astype(np.float32)
    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    cosine = (start * end).sum(-1) / np.maximum(lengths, 1e-300)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))[..., None]
    sine = np.sin(angle)
    with np.errstate(divide="ignore", invalid="ignore"):
        arc = (np.sin((1 - share) * angle) * start + np.sin(share * angle) * end) / sine
    return np.where(sine > 1e-6, arc, straight).astype(np.float32)


def parsed(formula: str, known: int) -> Groups:
    """Reads such as `3,7 - 4,9`, a direction, or `3,7 - 4,9 + 20,31`, a place.

    Args:
        formula: Groups of picture numbers from 0, joined by + and -; with one + more than -, or as
            many of each.
        known: Pictures that there are.

    Raises:
        UsageError: If it is none of these, or names a picture that is not there.
    """
    text = re.sub(r"\s", "", formula)
    if not re.fullmatch(f"{_NUMBERS}([+-]{_NUMBERS})+", text):
        raise UsageError(
            f"arithmetic={formula!r} must join numbers of pictures by + and -, as 3,7 - 4,9 + 20,31"
        )
    groups = []
    for sign, numbers in re.findall(r"([+-]?)([0-9,]+)", text):
        members = [int(number) for number in numbers.split(",")]
        strange = [member for member in members if member >= known]
        if strange:
            raise UsageError(
                f"arithmetic={formula!r}: there is no picture {strange[0]}, they go from 0 to "
                f"{known - 1}; --num makes more"
            )
        groups.append((-1 if sign == "-" else 1, members))
    if sum(sign for sign, _ in groups) not in (0, 1):
        raise UsageError(
            f"arithmetic={formula!r} is neither a direction, as 3,7 - 4,9, nor a place, as "
            "3,7 - 4,9 + 20,31"
        )
    return groups


def is_direction(groups: Groups) -> bool:
    """Whether the signs cancel, so that the sum is a way to go, not a place."""
    return sum(sign for sign, _ in groups) == 0


def total(latents: np.ndarray, groups: Groups) -> np.ndarray:
    """Returns the signed sum of the means of groups of latents, float `(latent_dim,)`.

    Args:
        latents: float `(n, latent_dim)`.
        groups: Signs with rows of `latents`.

    Reference:
        Radford et al., 2015, arXiv:1511.06434, Section 6.3.2.
    """
    return np.asarray(sum(sign * latents[members].mean(axis=0) for sign, members in groups))


def typical(latents: np.ndarray, *, uniform: bool = False, scale: float = 1.0) -> np.ndarray:
    """Brings latents to where those of training lie: to their length, or into their cube.

    Args:
        latents: float `(..., latent_dim)`.
        uniform: Whether latents are uniform on [-1, 1], instead of normal.
        scale: Share of their usual length, or of their cube's side; below 1 if truncated.

    Returns:
        float32 of the same shape, each of length scale * sqrt(latent_dim), or cut to
        [-scale, scale].
    """
    if uniform:
        return np.clip(latents, -scale, scale).astype(np.float32)
    lengths = np.linalg.norm(latents, axis=-1, keepdims=True)
    length = scale * np.sqrt(latents.shape[-1])
    return (latents * length / np.maximum(lengths, 1e-12)).astype(np.float32)


def along(latents: np.ndarray, direction: np.ndarray, num: int) -> np.ndarray:
    """Moves each latent from one direction before it to one beyond it, in `num` equal steps.

    Args:
        latents: float `(n, latent_dim)`.
        direction: float `(latent_dim,)`, such as the mean of one kind less that of another.
        num: Latents of each way, at least 2.

    Returns:
        float32 `(n, num, latent_dim)`.

    Reference:
        Radford et al., 2015, arXiv:1511.06434, Figure 8.
    """
    share = np.linspace(-1.0, 1.0, num)[:, None]
    return (latents[:, None, :] + share * direction).astype(np.float32)


def neighbours(latent: np.ndarray, num: int, seed: int, scale: float = 1.0) -> np.ndarray:
    """Returns `num` latents around one, itself in the middle: a uniform noise is added.

    The noise goes to `NEIGHBOUR_RANGE` times the scale, which is that of `typical`.

    Reference:
        Radford et al., 2015, arXiv:1511.06434, Figure 7.
    """
    generator = np.random.default_rng(seed)
    noise = scale * generator.uniform(-NEIGHBOUR_RANGE, NEIGHBOUR_RANGE, (num, latent.size))
    noise[num // 2] = 0.0
    return (latent + noise).astype(np.float32)
