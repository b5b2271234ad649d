"""Losses at logits whose sigmoids are fractions: every number below is worked out by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfgans import losses

LN2, LN3, LN7 = math.log(2), math.log(3), math.log(7)

# s(ln 3) = 3/4, s(-ln 3) = 1/4, s(ln 7) = 7/8, s(0) = 1/2
CROSS_ENTROPY = {
    "real": [LN3, -LN3, LN7],  # -log s: log 4/3, log 4, log 8/7
    "fake": [0.0, LN3, LN7],  # -log(1 - s): log 2, log 4, log 8
    "d_loss": math.log(4 / 3 * 4 * 8 / 7) / 3 + 2 * LN2,
    "d_real": [-1 / 12, -3 / 12, -1 / 24],  # (s - 1) / 3
    "d_fake": [1 / 6, 3 / 12, 7 / 24],  # s / 3
}
LINEAR = {"real": [2.0, -1.0, 0.5], "fake": [1.0, -2.0, 3.0]}  # means 1/2 and 2/3

CASES = {
    "minimax": CROSS_ENTROPY | {"g_loss": -2 * LN2, "g_fake": [-1 / 6, -3 / 12, -7 / 24]},
    "non_saturating": CROSS_ENTROPY
    | {
        "g_loss": math.log(2 * 4 / 3 * 8 / 7) / 3,
        "g_fake": [-1 / 6, -1 / 12, -1 / 24],
    },
    "least_squares": LINEAR
    | {
        "d_loss": (1 + 4 + 1 / 4) / 6 + (1 + 4 + 9) / 6,
        "d_real": [1 / 3, -2 / 3, -1 / 6],
        "d_fake": [1 / 3, -2 / 3, 1.0],
        "g_loss": (0 + 9 + 4) / 6,
        "g_fake": [0.0, -1.0, 2 / 3],
    },
    "wasserstein": LINEAR
    | {
        "d_loss": 2 / 3 - 1 / 2,
        "d_real": [-1 / 3] * 3,
        "d_fake": [1 / 3] * 3,
        "g_loss": -2 / 3,
        "g_fake": [-1 / 3] * 3,
    },
    "hinge": LINEAR
    | {
        "d_loss": (0 + 2 + 1 / 2) / 3 + (2 + 0 + 4) / 3,
        "d_real": [0.0, -1 / 3, -1 / 3],
        "d_fake": [1 / 3, 0.0, 1 / 3],
        "g_loss": -2 / 3,
        "g_fake": [-1 / 3] * 3,
    },
}
NAMES = tuple(CASES)


def pair(name):
    return getattr(losses, f"{name}_discriminator"), getattr(losses, f"{name}_generator")


def column(values):
    return tf.constant(values, tf.float32)[:, None]


def value_and_gradients(function, *logits, **options):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = function(*logits, **options)
    return value, tape.gradient(value, logits)


@pytest.mark.parametrize("name", NAMES)
def test_discriminator_value_and_gradients(name):
    case = CASES[name]
    value, gradients = value_and_gradients(
        pair(name)[0], column(case["real"]), column(case["fake"])
    )
    assert value.dtype == tf.float32
    assert value.shape == ()
    np.testing.assert_allclose(value, case["d_loss"], rtol=2e-7)
    np.testing.assert_allclose(gradients[0][:, 0], case["d_real"], rtol=3e-7, atol=1e-8)
    np.testing.assert_allclose(gradients[1][:, 0], case["d_fake"], rtol=3e-7, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_generator_value_and_gradient(name):
    case = CASES[name]
    value, (gradient,) = value_and_gradients(pair(name)[1], column(case["fake"]))
    assert value.dtype == tf.float32
    assert value.shape == ()
    np.testing.assert_allclose(value, case["g_loss"], rtol=2e-7)
    np.testing.assert_allclose(gradient[:, 0], case["g_fake"], rtol=3e-7, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_patches_and_unequal_batches_are_averaged_each_by_itself(name):
    """Rows repeated 2 and 4 times, laid out as maps: the two means stay what they were."""
    case = CASES[name]
    real = tf.reshape(tf.repeat(column(case["real"]), 4, axis=1), (3, 2, 2, 1))
    fake = tf.reshape(tf.repeat(column(case["fake"]), 2, axis=1), (6, 1))
    discriminator, generator = pair(name)
    np.testing.assert_allclose(discriminator(real, fake), case["d_loss"], rtol=3e-7)
    np.testing.assert_allclose(generator(fake), case["g_loss"], rtol=3e-7)


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_at_the_optimum_with_equal_distributions_the_value_is_log_4(name):
    logits = column([0.0, 0.0])  # D* = p / (p + q) = 1/2 everywhere
    value, gradients = value_and_gradients(pair(name)[0], logits, logits)
    np.testing.assert_allclose(value, math.log(4), rtol=1e-7)
    np.testing.assert_allclose(gradients[0] + gradients[1], 0.0, atol=1e-8)


def test_at_the_optimum_the_minimax_value_is_log_4_less_twice_jensen_shannon():
    """p = (3/4, 1/4), q = (1/4, 3/4), in samples of four: D* has the logits log p/q."""
    real, fake = column([LN3, LN3, LN3, -LN3]), column([LN3, -LN3, -LN3, -LN3])
    jensen_shannon = 3 / 4 * math.log(3 / 2) + 1 / 4 * math.log(1 / 2)
    value, (by_real, by_fake) = value_and_gradients(losses.minimax_discriminator, real, fake)
    np.testing.assert_allclose(value, math.log(4) - 2 * jensen_shannon, rtol=2e-7)
    # At each of the two points what real samples pull, generated ones pull back.
    first = tf.reduce_sum(by_real[:3]) + by_fake[0, 0]
    second = by_real[3, 0] + tf.reduce_sum(by_fake[1:])
    np.testing.assert_allclose([first, second], 0.0, atol=2e-8)


def test_least_squares_discriminator_is_at_rest_at_its_optimum():
    """D* = p / (p + q), here 3/4 and 1/4, as scores and not as logits."""
    real, fake = column([0.75, 0.75, 0.75, 0.25]), column([0.75, 0.25, 0.25, 0.25])
    value, (by_real, by_fake) = value_and_gradients(losses.least_squares_discriminator, real, fake)
    # 1/2 (3/4 * 1/16 + 1/4 * 9/16) twice
    np.testing.assert_allclose(value, 3 / 16, rtol=1e-7)
    np.testing.assert_allclose(tf.reduce_sum(by_real[:3]) + by_fake[0, 0], 0.0, atol=1e-8)
    np.testing.assert_allclose(by_real[3, 0] + tf.reduce_sum(by_fake[1:]), 0.0, atol=1e-8)


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_one_sided_label_smoothing(name):
    """With target t the real term grows by (1 - t) mean(real), its gradient by (1 - t) / n."""
    case = CASES[name]
    logits = column(case["real"]), column(case["fake"])
    value, (by_real, by_fake) = value_and_gradients(pair(name)[0], *logits, real_target=0.9)
    np.testing.assert_allclose(value, case["d_loss"] + 0.1 * LN7 / 3, rtol=2e-7)
    np.testing.assert_allclose(by_real[:, 0], np.add(case["d_real"], 0.1 / 3), rtol=1e-6)
    np.testing.assert_allclose(by_fake[:, 0], case["d_fake"], rtol=3e-7)
    # At s = 9/10 a smoothed discriminator is content.
    _, (by_real, _) = value_and_gradients(
        pair(name)[0], column([math.log(9)]), column([0.0]), real_target=0.9
    )
    np.testing.assert_allclose(by_real, 0.0, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [100.0, 1e4])
def test_large_logits_stay_finite(name, size):
    logits = column([size, -size])
    for function, arguments in zip(pair(name), [(logits, logits), (logits,)], strict=True):
        value, gradients = value_and_gradients(function, *arguments)
        assert np.isfinite(value)
        assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_large_logits_lose_no_digits():
    """log(1 + e^l) is l above and e^l below, where 1 - s(l) would be 0 or 1."""
    wrong = losses.minimax_discriminator(column([-1e4]), column([1e4]))
    np.testing.assert_allclose(wrong, 2e4, rtol=1e-7)
    right = losses.minimax_discriminator(column([30.0]), column([-30.0]))
    np.testing.assert_allclose(right, 2 * math.exp(-30), rtol=1e-5)
    np.testing.assert_allclose(losses.minimax_generator(column([1e4])), -1e4, rtol=1e-7)
    np.testing.assert_allclose(losses.non_saturating_generator(column([-1e4])), 1e4, rtol=1e-7)


def test_where_the_discriminator_is_sure_one_gradient_dies_and_the_other_does_not():
    """d/dl log(1 - s) = -s and d/dl -log s = s - 1: at l = -10 4.5e-5 against almost 1."""
    fake = column([-10.0])
    _, (saturating,) = value_and_gradients(losses.minimax_generator, fake)
    _, (strong,) = value_and_gradients(losses.non_saturating_generator, fake)
    np.testing.assert_allclose(saturating, -1 / (1 + math.exp(10)), rtol=1e-5)
    np.testing.assert_allclose(strong, -1 / (1 + math.exp(-10)), rtol=1e-6)


def test_hinge_ends_at_the_margin():
    value, (by_real, by_fake) = value_and_gradients(
        losses.hinge_discriminator, column([1.0, 1.5]), column([-1.0, -1.5])
    )
    assert float(value) == 0.0
    assert not np.any(by_real)
    assert not np.any(by_fake)


PHI = {
    "exp": lambda x: (np.exp(x), np.exp(x)),
    "softplus": lambda x: (np.log1p(np.exp(x)), 1 / (1 + np.exp(-x))),
    "sqrt": lambda x: (x + np.sqrt(x**2 + 1), 1 + x / np.sqrt(x**2 + 1)),
    "linear": lambda x: (x, np.ones_like(x)),
}


@pytest.mark.parametrize("phi", losses.PHI)
def test_lipschitz_losses(phi):
    real, fake = np.array(LINEAR["real"]), np.array(LINEAR["fake"])
    value, (by_real, by_fake) = value_and_gradients(
        lambda real, fake: losses.lipschitz_discriminator(real, fake, phi=phi),
        column(real),
        column(fake),
    )
    (of_real, slope_real), (of_fake, slope_fake) = PHI[phi](-real), PHI[phi](fake)
    np.testing.assert_allclose(value, of_real.mean() + of_fake.mean(), rtol=1e-6)
    np.testing.assert_allclose(by_real, column(-slope_real / 3), rtol=1e-6)
    np.testing.assert_allclose(by_fake, column(slope_fake / 3), rtol=1e-6)
    assert float(losses.lipschitz_generator(column(fake))) == pytest.approx(-2 / 3)


# f of the divergence E_q f(p / q) of p, the data, from q; f'(1) need not be 0.
F = {
    "kl": lambda u: u * np.log(u),
    "reverse_kl": lambda u: -np.log(u),
    "pearson": lambda u: (u - 1) ** 2,
    "squared_hellinger": lambda u: (np.sqrt(u) - 1) ** 2,
    "jensen_shannon": lambda u: -(u + 1) * np.log((1 + u) / 2) + u * np.log(u),
}
RATIOS = np.array([0.2, 0.5, 0.9, 1.0, 1.6, 3.0])


def f_slope(name, ratios):
    return (F[name](ratios + 1e-6) - F[name](ratios - 1e-6)) / 2e-6


@pytest.mark.parametrize("name", losses.DIVERGENCES)
def test_f_divergence_conjugates(name):
    """f*(t) = sup over u of u t - f(u), at t = g(v)."""
    activation, conjugate = losses.DIVERGENCES[name]
    logits = np.linspace(-1.5, 0.6, 8).astype("float32")
    levels = activation(tf.constant(logits)).numpy().astype("float64")
    ratios = np.exp(np.linspace(-9, 9, 400001))
    wanted = np.max(ratios * levels[:, None] - F[name](ratios), axis=1)
    np.testing.assert_allclose(conjugate(tf.constant(logits)), wanted, atol=2e-6)
    assert (np.diff(levels) > 0).all(), "real is not where the logits are large"


@pytest.mark.parametrize("name", losses.DIVERGENCES)
def test_the_best_discriminator_gives_the_divergence(name):
    """Its g(v) is f'(p / q): then the loss is minus the divergence, and nothing is below it."""
    q = np.array([0.3, 0.2, 0.1, 0.15, 0.15, 0.1])
    p = q * RATIOS / np.sum(q * RATIOS)
    wanted = np.sum(q * F[name](p / q))
    activation, _ = losses.DIVERGENCES[name]
    grid = np.linspace(-12, 12, 240001).astype("float32")
    levels = activation(tf.constant(grid)).numpy()
    best = grid[np.abs(levels[:, None] - f_slope(name, p / q)).argmin(axis=0)]

    def loss(logits):
        """Images drawn as often as p and q say."""
        counts = np.round(np.stack([p, q]) * 200000).astype(int)
        real, fake = (np.repeat(logits, count) for count in counts)
        made = losses.f_divergence_discriminator(column(real), column(fake), divergence=name)
        return float(made)

    np.testing.assert_allclose(-loss(best), wanted, rtol=2e-4)
    for moved in (best + 0.05, best - 0.05):
        assert loss(moved) > loss(best) + 1e-5


def test_jensen_shannon_is_the_non_saturating_game_but_for_constants():
    real, fake = column(CROSS_ENTROPY["real"]), column(CROSS_ENTROPY["fake"])
    told = {"divergence": "jensen_shannon"}
    value = losses.f_divergence_discriminator(real, fake, **told)
    np.testing.assert_allclose(
        value, losses.non_saturating_discriminator(real, fake) - 2 * LN2, rtol=1e-5
    )
    value = losses.f_divergence_generator(fake, **told)
    np.testing.assert_allclose(value, losses.non_saturating_generator(fake) - LN2, rtol=1e-5)


# softmax(0, ln 2, ln 5) = 1/8, 2/8, 5/8
EIGHTHS = [0.0, LN2, math.log(5)]


def test_class_cross_entropy_value_and_gradient():
    logits = tf.constant([EIGHTHS, EIGHTHS, [7.0, 7.0, 7.0]])
    value, (gradient,) = value_and_gradients(
        lambda logits: losses.class_cross_entropy(logits, tf.constant([2, 0, 1])), logits
    )
    assert value.dtype == tf.float32
    assert value.shape == ()
    np.testing.assert_allclose(value, math.log(8 / 5 * 8 * 3) / 3, rtol=2e-7)
    by_hand = [[1 / 8, 2 / 8, -3 / 8], [-7 / 8, 2 / 8, 5 / 8], [1 / 3, -2 / 3, 1 / 3]]
    np.testing.assert_allclose(gradient, np.divide(by_hand, 3), rtol=1e-6)


def test_class_cross_entropy_of_large_logits():
    """What is surely right costs nothing, what is surely wrong the distance, both without NaN."""
    logits = tf.constant([[1e4, 0.0], [1e4, 0.0]])
    value, (gradient,) = value_and_gradients(
        lambda logits: losses.class_cross_entropy(logits, tf.constant([0, 1])), logits
    )
    np.testing.assert_allclose(value, 1e4 / 2, rtol=1e-7)
    np.testing.assert_allclose(gradient, [[0.0, 0.0], [0.5, -0.5]], atol=1e-7)


def test_drift_is_the_mean_square_of_real_logits():
    value, (gradient,) = value_and_gradients(losses.drift, tf.constant(LINEAR["real"]))
    assert value.dtype == tf.float32
    np.testing.assert_allclose(value, (4 + 1 + 1 / 4) / 3, rtol=1e-6)
    np.testing.assert_allclose(gradient, np.multiply(LINEAR["real"], 2 / 3), rtol=1e-6)
