"""Each trick does what its formula says, and enters where it should."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans import UsageError, losses, randomness, registry, tricks

DATA = tfgans.DataSpec((8, 8, 1))
SCHEMES = ("gan", "nsgan", "r1gan", "dragan", "roth", "unrolled", "stylegan")


def tiny(name="nsgan", data=DATA, **options):
    return tfgans.create(name, data, **{**registry.load(name).tiny, **options})


def batch_of(rows, seed=0):
    return {"image": tf.random.stateless_uniform((rows, 8, 8, 1), (seed, 1), -1.0, 1.0)}


# Packs.


def test_a_pack_is_successive_pictures_side_by_side():
    image = tf.reshape(tf.range(4 * 2 * 3 * 2), (4, 2, 3, 2))
    packs = tricks.packed(image, 4)
    assert packs.shape == (2, 2, 3, 4)
    for pack in range(2):
        for member in range(2):
            found = packs[pack, :, :, 2 * member : 2 * member + 2]
            np.testing.assert_array_equal(found, image[2 * pack + member])


def test_pictures_alone_are_no_packs():
    image = tf.zeros((3, 2, 2, 1))
    assert tricks.packed(image, 1) is image


def test_a_batch_that_is_no_packs_is_refused():
    with pytest.raises(UsageError, match="5 pictures at a time are no packs of 2"):
        tricks.packed(tf.zeros((5, 2, 2, 1)), 2)
    model = tiny(**{"discriminator.packing": 3})
    with pytest.raises(UsageError, match="8 pictures at a time are no packs of 3"):
        model.train_step(batch_of(8))


@pytest.mark.parametrize("name", ["nsgan", "dcgan", "sngan_resnet"])
def test_packed_discriminators_judge_as_many_pictures_together(name):
    size = registry.load(name).tiny.get("image_size", 8)
    data = tfgans.DataSpec((size, size, 3))
    model = tiny(name, data, **{"discriminator.packing": 4})
    assert model.discriminator.input["image"].shape == (None, size, size, 12)
    image = tf.zeros((8, size, size, 3))
    assert model.critic({})(model.presented(image, "real")).shape == (2, 1)
    with pytest.raises(UsageError, match="discriminator: packing=0 must be at least 1"):
        tiny(name, data, **{"discriminator.packing": 0})


@pytest.mark.parametrize("name", ["cgan", "acgan", "sngan_projection"])
def test_packs_of_several_classes_are_refused(name):
    size = registry.load(name).tiny.get("image_size", 8)
    data = tfgans.DataSpec((size, size, 1), 3)
    with pytest.raises(UsageError, match="packing=2 must be 1, where it has to do with labels"):
        tiny(name, data, **{"discriminator.packing": 2})


# Instance noise.


def test_instance_noise_is_drawn_for_each_pixel_and_falls_to_nothing():
    model, image = tiny(instance_noise=0.5, steps=10), batch_of(6)["image"]
    for step, level in ((0, 0.5), (4, 0.3), (10, 0.0), (12, 0.0)):
        model.step.assign(step)
        noise = randomness.normal(model.seed, step, "real/instance_noise", image.shape)
        found = model.presented(image, "real")
        np.testing.assert_allclose(found, image + level * noise, atol=1e-6)
        np.testing.assert_allclose(model.notes.watched["instance_noise"], level, atol=1e-6)
    for stream in ("fake", "generator", "matched"):
        np.testing.assert_array_equal(model.presented(image, stream), image)
    model.step.assign(0)
    drawn = [model.presented(image, stream) for stream in ("real", "fake", "generator", "matched")]
    assert len({one.numpy().tobytes() for one in drawn}) == 4


@pytest.mark.parametrize("name", ["nsgan", "wgan_gp", "unrolled", "dragan"])
def test_both_players_meet_noisy_images_only(name):
    """Penalties too: all that the discriminator is given has noise in its outermost pixels."""
    model = tiny(name, instance_noise=0.5)
    seen = []
    original = model.discriminate

    def discriminate(image, batch):
        seen.append(image.numpy() if tf.executing_eagerly() else None)
        return original(image, batch)

    object.__setattr__(model, "discriminate", discriminate)
    model.train_step({"image": tf.zeros((4 * model.batches_per_step, 8, 8, 1))})
    assert seen
    for image in seen:
        assert np.unique(image).size > image.size / 2


# Label smoothing.


@pytest.mark.parametrize("name", [*SCHEMES, "cgan", "acgan"])
def test_label_smoothing_adds_the_mean_of_real_logits(name):
    """-t log s(l) - (1 - t) log(1 - s(l)) = -log s(l) + (1 - t) l."""
    size = registry.load(name).tiny.get("image_size", 8)
    labels = {"label": tf.constant([0, 1, 2, 1])} if name in ("cgan", "acgan") else {}
    data = tfgans.DataSpec((size, size, 1), 3 if labels else 0)
    batch = {"image": tf.random.stateless_uniform((4, size, size, 1), (0, 1), -1.0, 1.0)}
    logs = [
        tiny(name, data, real_target=target).train_step({**batch, **labels})
        for target in (1.0, 0.75)
    ]
    plain, smoothed = ({key: float(value) for key, value in one.items()} for one in logs)
    assert plain["d_real"] == pytest.approx(smoothed["d_real"], rel=1e-6)
    assert smoothed["d_loss"] == pytest.approx(
        plain["d_loss"] + 0.25 * plain["d_real"], rel=1e-4, abs=1e-6
    )


@pytest.mark.parametrize("target", [0.0, 1.1])
def test_targets_that_cannot_be_are_refused(target):
    with pytest.raises(UsageError, match=rf"real_target={target} must lie in \(0, 1\]"):
        tiny(real_target=target)


# Feature matching.


@pytest.mark.parametrize("name", ["nsgan", "sngan", "progan", "sngan_resnet"])
def test_feature_matching_is_the_distance_of_mean_features_before_the_logits(name):
    size = registry.load(name).tiny.get("image_size", 8)
    data = tfgans.DataSpec((size, size, 1))
    model = tiny(name, data, feature_weight=0.5)
    images = tf.random.stateless_uniform((2, 8, size, size, 1), (0, 1), -1.0, 1.0)
    network = getattr(model.discriminator, "network", model.discriminator)
    to_features = tricks.before_logits(network)
    (last,) = [layer for layer in network.layers if layer.name == "logits"]
    logits = last(to_features({"image": images[0]}))
    np.testing.assert_allclose(logits, model.critic({})(images[0]), rtol=1e-4, atol=1e-6)
    means = [to_features({"image": image}, training=True).numpy().mean(axis=0) for image in images]
    wanted = 0.5 * np.sum((means[0] - means[1]) ** 2)
    (found,) = model.feature_terms({"image": images[0]}, images[1])
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_feature_matching_moves_the_generator_towards_the_features_of_the_data():
    rates = {"g_optimizer.learning_rate": 1e-2, "d_optimizer.learning_rate": 1e-9}
    model = tiny(feature_weight=1000.0, **rates)
    batch = {"image": tf.fill((16, 8, 8, 1), 0.8)}
    found = []
    for _ in range(60):
        found.append(float(model.train_step(batch)["feature_loss"]))
        model.reset_metrics()
    assert found[-1] < 0.1 * found[0]


def test_skip_connections_are_walked_once():
    """Thirty of them are a thousand million paths."""
    image = keras.Input((2, 2, 1), name="image")
    features = keras.layers.Flatten()(image)
    for _ in range(30):
        features = keras.layers.Add()([features, keras.layers.Dense(4)(features)])
    network = keras.Model({"image": image}, keras.layers.Dense(1)(features))
    assert tricks.before_logits(network)({"image": tf.ones((3, 2, 2, 1))}).shape == (3, 4)


@pytest.mark.parametrize("name", ["logits", "last"])
def test_features_are_what_the_last_layer_is_given_where_none_is_called_logits(name):
    image = keras.Input((2, 2, 1), name="image")
    features = keras.layers.Flatten()(image)
    output = keras.layers.Dense(1, name=name)(features)
    scaled = keras.layers.Rescaling(2.0)(output)
    to_features = tricks.before_logits(keras.Model({"image": image}, scaled))
    found = to_features({"image": tf.ones((3, 2, 2, 1))})
    assert found.shape == ((3, 4) if name == "logits" else (3, 1))


# Terms of the weights.


def test_historical_averaging_is_the_distance_from_the_mean_so_far():
    model, batch = tiny(historical_weight=0.5), batch_of(8)
    players = {player: getattr(model, player).trainable_variables for player in model.players}
    pasts = {player: [[v.numpy() for v in own]] for player, own in players.items()}
    for _ in range(3):
        model.reset_metrics()
        before = {player: [v.numpy() for v in own] for player, own in players.items()}
        logs = model.train_step(batch)
        for player, own in players.items():
            means = [np.mean(past, axis=0) for past in zip(*pasts[player], strict=True)]
            pairs = zip(before[player], means, strict=True)
            wanted = 0.5 * sum(np.sum((one - mean) ** 2) for one, mean in pairs)
            found = float(logs[f"historical_penalty/{player}"])
            assert found == pytest.approx(wanted, rel=1e-3, abs=1e-9)
            pasts[player].append([v.numpy() for v in own])
    assert found > 0.0


def test_historical_averaging_pulls_towards_the_mean():
    """Its gradient is 2 w (weight - mean)."""
    model = tiny(historical_weight=0.5)
    variables = model.generator.trainable_variables
    for past in model.pasts["generator"]:
        past.assign(past - 0.25)
    with tf.GradientTape() as tape:
        (value,) = model.regularizers("g_optimizer").values()
    for gradient in tape.gradient(value, [v.value for v in variables]):
        np.testing.assert_allclose(gradient, 0.25, rtol=1e-5)


def test_kernel_penalty_is_of_the_discriminators_kernels_alone():
    model = tiny(kernel_weight=0.1)
    for variable in model.discriminator.trainable_variables:
        variable.assign(tf.fill(variable.shape, 2.0))
    (value,) = model.regularizers("d_optimizer").values()
    # 64 x 8, 8 x 8 and 8 x 1 weights of 2.
    np.testing.assert_allclose(value, 0.1 * (512 + 64 + 8) * 4 / 2, rtol=1e-6)
    assert model.regularizers("g_optimizer") == {}


# Turns.


@pytest.mark.parametrize("eager", [True, False])
def test_players_take_turns(eager):
    model = tiny("wgan", alternate_every=2)
    step = model.train_step if eager else tf.function(model.train_step)
    batch = batch_of(4 * model.batches_per_step)
    seen = []
    for _ in range(6):
        before = [[v.numpy() for v in getattr(model, p).trainable_variables] for p in model.players]
        model.reset_metrics()
        logs = step(batch)
        assert set(logs) == set(model.all_logs)
        assert all(np.isfinite(float(value)) for value in logs.values())
        moved = []
        for player, old in zip(model.players, before, strict=True):
            new = getattr(model, player).trainable_variables
            moves = any((v.numpy() != was).any() for v, was in zip(new, old, strict=True))
            assert moves == (float(logs[f"grad_norm/{player}"]) > 0)
            moved += [player] if moves else []
        seen += moved
    first, second = ["discriminator"] * 2, ["generator"] * 2
    assert seen == [*first, *second, *first]
    counts = int(model.d_optimizer.iterations), int(model.g_optimizer.iterations)
    assert counts == (4 * model.n_critic, 2)


def test_a_resting_player_reports_what_it_would_minimise():
    logs = [tiny(alternate_every=every).train_step(batch_of(8)) for every in (0, 5)]
    assert float(logs[0]["d_loss"]) == float(logs[1]["d_loss"])
    assert float(logs[0]["g_loss"]) == pytest.approx(float(logs[1]["g_loss"]), rel=1e-5)


def test_what_a_resting_player_reports_does_not_depend_on_what_was_before():
    """Dropout draws by seed and step, also of a player that does not move."""
    model = tiny("gan", alternate_every=5, **{"discriminator.dropout": 0.5})
    state = [(variable, variable.numpy()) for variable in model.state().values()]
    logs = []
    for _ in range(2):
        for variable, value in state:
            variable.assign(value)
        model.reset_metrics()
        found = model.train_step(batch_of(8))
        logs.append({name: float(value) for name, value in found.items()})
    assert logs[0] == logs[1]


@pytest.mark.parametrize(("steps", "period"), [(8, 2), (7, 2), (5, 2), (3, 4), (9, 1)])
def test_turns_are_counted(steps, period):
    turns = [step // period % 2 for step in range(steps)]
    assert tricks.in_turn(steps, period, first=True) == turns.count(0)
    assert tricks.in_turn(steps, period, first=False) == turns.count(1)


def test_rates_end_with_the_run_where_players_take_turns():
    schedules = {f"{player}_optimizer.schedule": "linear" for player in "gd"}
    model = tiny("wgan_gp", steps=6, alternate_every=2, **schedules)
    for _ in range(6):
        model.train_step(batch_of(4 * model.batches_per_step))
    for optimizer in (model.g_optimizer, model.d_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", ["instance_noise", "alternate_every"])
def test_negative_numbers_are_refused(name):
    with pytest.raises(UsageError, match=rf"{name}=-1(\.0)? must not be negative"):
        tiny(**{name: -1})


def test_losses_without_targets_have_no_smoothing():
    with pytest.raises(UsageError, match="no option 'real_target'"):
        tiny("wgan_gp", real_target=0.9)
    assert losses.wasserstein_discriminator.__kwdefaults__ is None
