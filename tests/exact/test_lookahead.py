"""Steps ahead: against the steps of Keras' optimisers, closed forms and differences."""

import math

import differences
import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans import factory, lookahead, losses, optimizers, registry

OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.01, beta_1=0.5),
    "keras_adam": lambda: keras.optimizers.Adam(0.01, beta_1=0.9, epsilon=1e-3),
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.7),
}


def tiny(**options):
    options = {**registry.load("unrolled").tiny, **options}
    return tfgans.create("unrolled", tfgans.DataSpec((8, 8, 1)), **options)


def batch_of(rows):
    return {"image": tf.random.stateless_uniform((rows, 8, 8, 1), (0, 1), -1.0, 1.0)}


def loss_of(network, image):
    return lambda: tf.reduce_mean(tf.square(network({"image": image}, training=True) - 1.0))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(
    "options", [{}, {"batch_norm": False, "spectral_norm": True}, {"weight_clip": 0.01}]
)
def test_steps_ahead_are_the_steps_that_the_optimiser_would_take(name, options):
    builder = registry.load("dcgan").networks["discriminator"]
    network = builder(tfgans.DataSpec((8, 8, 1)), width=4, **options)
    optimizer, image = OPTIMIZERS[name](), batch_of(6)["image"]
    variables = network.trainable_variables
    optimizer.build(variables)
    loss = loss_of(network, image)

    def step():
        with tf.GradientTape() as tape:
            value = loss()
        optimizer.apply(tape.gradient(value, [v.value for v in variables]), variables)

    step()  # so that there are moments
    everything = [*network.variables, *optimizer.variables]
    before = [variable.numpy() for variable in everything]
    ahead = lookahead.look_ahead(variables, optimizer, loss, 3)
    for variable, value in zip(everything, before, strict=True):
        np.testing.assert_array_equal(variable, value, err_msg=variable.path)
    for _ in range(3):
        step()
    for variable, value in zip(variables, ahead, strict=True):
        np.testing.assert_allclose(value, variable, atol=2e-6, err_msg=variable.path)


def test_no_steps_ahead_are_the_weights():
    variable = keras.Variable([1.0, 2.0])
    optimizer = OPTIMIZERS["adam"]()
    optimizer.build([variable])
    (ahead,) = lookahead.look_ahead([variable], optimizer, None, 0)
    np.testing.assert_array_equal(ahead, [1.0, 2.0])


@pytest.mark.parametrize("steps", [1, 4])
def test_gradient_through_descent_in_closed_form(steps):
    """(w - a)^2 / 2: the distance to a shrinks by 1 - rate, so dw/da is what has shrunk."""
    variable, goal = keras.Variable(5.0), tf.constant(2.0)
    optimizer = OPTIMIZERS["sgd"]()
    optimizer.build([variable])
    with tf.GradientTape() as tape:
        tape.watch(goal)
        (ahead,) = lookahead.look_ahead(
            [variable], optimizer, lambda: tf.square(variable.value - goal) / 2.0, steps
        )
    np.testing.assert_allclose(ahead, 2.0 + 3.0 * 0.9**steps, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(ahead, goal), 1.0 - 0.9**steps, rtol=1e-5)


def numpy_adam(start, goals, steps, rate=0.01, beta_1=0.5, beta_2=0.999, epsilon=1e-7):
    """Steps of Adam on mean(tanh(w a)), in float64, and the value at their end."""
    value = start.copy()
    first, second = np.zeros(3), np.zeros(3)
    for count in range(1, steps + 1):
        gradient = (1.0 - np.tanh(value * goals) ** 2) * goals / 3.0
        first = beta_1 * first + (1.0 - beta_1) * gradient
        second = beta_2 * second + (1.0 - beta_2) * gradient**2
        scaled = rate * np.sqrt(1.0 - beta_2**count) / (1.0 - beta_1**count)
        value = value - scaled * first / (np.sqrt(second) + epsilon)
    return float(np.mean(np.tanh(value * goals)))


def test_gradient_through_adam_against_differences():
    start, goals = np.array([0.3, -0.8, 1.5]), np.array([0.7, 1.1, -0.4])
    variable, given = keras.Variable(start, dtype="float32"), tf.constant(goals, tf.float32)
    optimizer = OPTIMIZERS["adam"]()
    optimizer.build([variable])
    with tf.GradientTape() as tape:
        tape.watch(given)

        def loss():
            return tf.reduce_mean(tf.tanh(variable.value * given))

        ahead = lookahead.look_ahead([variable], optimizer, loss, 5)
        with lookahead.replaced([variable], ahead):
            value = loss()
    np.testing.assert_allclose(value, numpy_adam(start, goals, 5), rtol=1e-6)
    (wanted,) = differences.gradients(lambda moved: numpy_adam(start, moved, 5), goals)
    np.testing.assert_allclose(tape.gradient(value, given), wanted, rtol=1e-3, atol=1e-6)


def test_a_weight_without_gradient_stays_and_harms_no_other():
    """As of a dead unit: its second moment is 0, and the derivative of the root infinite."""
    variable, scale = keras.Variable([1.0, 1.0]), tf.constant([1.0, 0.0])
    optimizer = OPTIMIZERS["adam"]()
    optimizer.build([variable])
    with tf.GradientTape() as tape:
        tape.watch(scale)
        (ahead,) = lookahead.look_ahead(
            [variable], optimizer, lambda: tf.reduce_sum(scale * tf.square(variable.value)), 2
        )
    assert float(ahead[1]) == 1.0
    assert np.isfinite(tape.gradient(ahead, scale)).all()


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.RMSprop(),
        keras.optimizers.Adam(amsgrad=True),
        keras.optimizers.SGD(0.1, momentum=0.5, nesterov=True),
        keras.optimizers.AdamW(),
        keras.optimizers.Adam(clipnorm=1.0),
    ],
)
def test_other_optimisers_are_refused(optimizer):
    with pytest.raises(tfgans.UsageError, match=f"look ahead with {type(optimizer).__name__}: "):
        lookahead.check(optimizer)


def g_gradients(model, batch):
    variables = model.generator.trainable_variables
    with tf.GradientTape() as tape:
        (value,) = model.surrogate(batch)
    return float(value), tape.gradient(value, [v.value for v in variables])


def test_without_steps_the_surrogate_is_the_minimax_game():
    model, batch = tiny(unroll_steps=0), batch_of(4)
    value, found = g_gradients(model, batch)
    with tf.GradientTape() as tape:
        fake = model.fake_images(batch, "generator_latent")
        g_loss = losses.minimax_generator(model.critic(batch)(fake))
    variables = model.generator.trainable_variables
    wanted = tape.gradient(g_loss, [v.value for v in variables])
    for gradient, each in zip(found, wanted, strict=True):
        np.testing.assert_allclose(gradient, each, atol=1e-7)
    # The term of the real images is in the value, but not in this gradient.
    real_term = tf.reduce_mean(tf.nn.softplus(-model.critic(batch)(batch["image"])))
    np.testing.assert_allclose(value, g_loss - real_term, rtol=1e-5)


def smooth_generator(data, *, latent_dim=4):
    latent = keras.Input((latent_dim,), name="latent")
    image = keras.layers.Dense(math.prod(data.image_shape), "tanh")(latent)
    return keras.Model({"latent": latent}, keras.layers.Reshape(data.image_shape)(image))


def smooth_discriminator(data, *, width=6):
    image = keras.Input(data.image_shape, name="image")
    hidden = keras.layers.Dense(width, "tanh")(keras.layers.Flatten()(image))
    return keras.Model({"image": image}, keras.layers.Dense(1)(hidden))


@pytest.mark.parametrize("steps", [1, 5])
def test_gradient_of_the_surrogate_against_differences(steps, monkeypatch):
    """Along what Equation 12 adds, the moves of the discriminator that answer the generator's.

    The networks are smooth: where a gate flips, the weights ahead jump.
    """
    networks = {"generator": smooth_generator, "discriminator": smooth_discriminator}
    row = registry.load("unrolled").on(**networks)
    rates = {"d_optimizer.learning_rate": 0.5, "d_optimizer.epsilon": 0.1}
    model = factory.create(row, tfgans.DataSpec((2, 2, 1)), unroll_steps=steps, **rates)
    batch = {"image": tf.random.stateless_uniform((16, 2, 2, 1), (0, 1), -1.0, 1.0)}
    variables = model.generator.trainable_variables
    start = [variable.numpy() for variable in variables]
    _, whole = g_gradients(model, batch)
    look_ahead = lookahead.look_ahead

    def standing(*arguments):
        return [tf.stop_gradient(value) for value in look_ahead(*arguments)]

    with monkeypatch.context() as held:
        held.setattr(lookahead, "look_ahead", standing)
        _, still = g_gradients(model, batch)
    added = [one - other for one, other in zip(whole, still, strict=True)]
    norm = np.sqrt(sum(np.sum(np.square(each)) for each in added))
    assert norm > 0.03, "too small to be seen"
    sides = []
    for move in (1e-2, -1e-2):
        for variable, value, each in zip(variables, start, added, strict=True):
            variable.assign(value + move * each / norm)
        sides.append(float(model.surrogate(batch)[0]))
    pairs = zip(whole, added, strict=True)
    wanted = sum(np.sum(one * other) for one, other in pairs) / norm
    assert (sides[0] - sides[1]) / 2e-2 == pytest.approx(wanted, abs=0.01 * norm)


def test_the_weights_ahead_pay_the_penalty_on_kernels_too():
    """One step ahead is the step that the discriminator takes, with all that it minimises."""
    model, batch = tiny(unroll_steps=1, kernel_weight=0.5, historical_weight=0.1), batch_of(4)
    weights = model.discriminator.trainable_variables
    for past in model.pasts["discriminator"]:
        past.assign_add(tf.ones_like(past))
    found = []
    look_ahead = lookahead.look_ahead

    def noted(*arguments):
        found.extend(look_ahead(*arguments))
        return found

    with pytest.MonkeyPatch.context() as held:
        held.setattr(lookahead, "look_ahead", noted)
        model.surrogate(batch)

    def objective(piece):
        fake = model.fake_images(piece, "generator_latent")
        return [model.discriminator_loss(*map(model.critic(piece), (piece["image"], fake)))]

    model.minimize("d_optimizer", objective, batch)
    for variable, value in zip(weights, found, strict=True):
        np.testing.assert_allclose(value, variable, atol=1e-6, err_msg=variable.path)


def test_looking_ahead_leaves_the_discriminator_bit_for_bit():
    model, batch = tiny(unroll_steps=5), batch_of(4)
    before = {name: value.numpy() for name, value in model.state().items()}
    model.surrogate(batch)
    for name, value in model.state().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_more_steps_are_another_game():
    found = [g_gradients(tiny(unroll_steps=steps), batch_of(4))[0] for steps in (0, 1, 5, 10)]
    assert np.diff(found).min() > 0, f"the discriminator is no better after more steps: {found}"


def test_negative_steps_are_refused():
    with pytest.raises(tfgans.UsageError, match="unroll_steps=-1 must be at least 0"):
        tiny(unroll_steps=-1)
