"""The game of growing networks: its stages in training, resumed, saved, drawn from, exported."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans import checkpoints, export, registry, saved, training

SIZE, BATCH, PHASE = 16, 4, 8  # a phase of two steps
STAGES = [4, 8, 8, 16, 16]  # sides
LAST = 2 * (len(STAGES) - 1)  # step at which the last stage begins
THIN = {"generator.latent_dim": 4, "generator.width": 4, "discriminator.width": 4}
GROWING = {
    "generator.start_size": 0,
    "discriminator.start_size": 0,
    "generator.phase_images": PHASE,
}
NAMES = ["progan", "stylegan"]


def create(name="progan", seed=0, **options):
    spec = tfgans.DataSpec((SIZE, SIZE, 1))
    mapping = {"generator.num_mapping_layers": 2} if name == "stylegan" else {}
    return tfgans.create(name, spec, seed=seed, **{**THIN, **GROWING, **mapping, **options})


def batch(step):
    shape = (BATCH, SIZE, SIZE, 1)
    return {"image": tf.random.stateless_uniform(shape, (step, 0), -1.0, 1.0)}


def fit(model, steps, **options):
    first = int(model.step)
    images = tf.stack([batch(step)["image"] for step in range(first, first + steps)])
    data = tf.data.Dataset.from_tensor_slices({"image": images})
    return model.fit(data, verbose=0, **options)


def values(model):
    return {name: variable.numpy() for name, variable in model.state().items()}


def name_of(model):
    return type(model).__name__.lower()


def equal(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module", params=NAMES)
def trained(request):
    """A model that one `fit` took through all its stages, and its state before each step."""
    model, seen = create(request.param), []

    class Seen(keras.callbacks.Callback):
        def on_train_batch_begin(self, number, logs=None):
            seen.append((values(self.model), self.model.sample(2, seed=1)))

        def on_train_batch_end(self, number, logs=None):
            seen[-1] += (self.model.generator.stage, logs)

    fit(model, LAST + 3, callbacks=[Seen()])
    return model, seen


# Stages in training.


def test_one_fit_goes_through_all_stages(trained):
    model, seen = trained
    assert [stage for *_, stage, _ in seen] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    assert int(model.shown) == (LAST + 3) * BATCH
    assert all(np.isfinite(list(logs.values())).all() for *_, logs in seen)


def test_a_step_moves_the_networks_of_its_stage_and_nothing_else(trained):
    model, seen = trained
    states = [state for state, *_ in seen] + [values(model)]
    for step, (*_, stage, _) in enumerate(seen):
        before, after = states[step : step + 2]
        for player in model.players:
            network = getattr(model, player)
            used = {id(variable) for variable in network.networks[stage].variables}
            for index, variable in enumerate(network.variables):
                name = f"{player}/{index:03d}"
                if name in before and not np.array_equal(before[name], after[name]):
                    assert id(variable) in used, f"step {step} moves {variable.path}"
                elif id(variable) in used and variable.path.endswith("/kernel"):
                    # At fade 0 what is new has no part in the picture yet.
                    assert step in (2, 6), f"step {step} leaves {variable.path} where it was"


def test_what_was_learned_stays_when_a_stage_begins(trained):
    """The first picture of a stage that fades in is the last one of the stage before, doubled."""
    _, seen = trained
    for step in (2, 6):
        pictures, stage = seen[step][1].astype(int), seen[step][2]
        side = STAGES[stage] // 2
        blocks = pictures.reshape(2, side, SIZE // side, side, SIZE // side)
        assert np.ptp(blocks, axis=(2, 4)).max() == 0, "not yet a picture of the old size"
    assert all(pictures.shape == (2, SIZE, SIZE, 1) for _, pictures, *_ in seen)


def test_eager_steps_are_those_of_the_graphs(trained):
    model, seen = trained
    other = create(name_of(model))
    for step in range(LAST + 1):
        for name, value in values(other).items():
            np.testing.assert_allclose(value, seen[step][0][name], rtol=1e-5, atol=1e-3)
        other.train_step(batch(step))
    assert other.generator.stage == len(STAGES) - 1


@pytest.mark.parametrize("shown", [0, 7, 8, 12, 15, 16, 24, 31, 32, 40, 1000])
def test_stage_and_fade_are_functions_of_the_images_shown(shown):
    model = create()
    model.shown.assign(shown)
    stage = min(shown // PHASE, 4)
    assert model.enter_stage() == stage
    for network in (model.generator, model.discriminator, model.average):
        assert network.stage == stage
    if model.generator.fades:
        np.testing.assert_array_equal(model.fade(3), np.full(3, shown % PHASE / PHASE, "float32"))


def test_real_pictures_are_reduced_and_fade_as_the_networks_do():
    image = batch(0)["image"]
    model, sides = create(), {}
    for shown in (0, 10, 16, 26, 32):
        model.shown.assign(shown)
        given = model.grown({"image": image, "label": tf.zeros(BATCH)})
        assert int(model.shown) == shown + BATCH
        assert set(given) == {"image", "label"} | ({"fade"} if model.generator.fades else set())
        sides[shown] = given["image"].numpy()
    pixels = image.numpy()
    means = {
        side: pixels.reshape(BATCH, side, SIZE // side, side, SIZE // side).mean(axis=(2, 4))
        for side in (4, 8, 16)
    }
    doubled = {side: means[side].repeat(2, axis=1).repeat(2, axis=2) for side in (4, 8)}
    wanted = {0: means[4], 16: means[8], 32: means[16]}
    wanted |= {10: 0.75 * doubled[4] + 0.25 * means[8], 26: 0.75 * doubled[8] + 0.25 * means[16]}
    for shown, expected in wanted.items():
        found = sides[shown][..., 0]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=str(shown))


def test_the_average_is_young_again_when_a_size_begins(trained):
    """It moves by (1 + t) / (10 + t), t from the step at which the size began to fade in."""
    model, seen = trained
    assert model.ema_decay == 0.999
    ages = [0, 1, 0, 1, 2, 3, 0, 1, 2, 3, 4]
    states = [state for state, *_ in seen] + [values(model)]
    for age, (before, after) in zip(ages, itertools.pairwise(states), strict=True):
        share = (1 + age) / (10 + age)
        for name in before:
            number = name.removeprefix("average/")
            if name != number and before[name].dtype == "float32":
                wanted = share * before[name] + (1 - share) * after[f"generator/{number}"]
                np.testing.assert_allclose(after[name], wanted, rtol=1e-5, atol=1e-5)


def test_several_critic_steps_show_their_images_too():
    model = create(n_critic=2)
    images = tf.concat([batch(0)["image"], batch(1)["image"]], axis=0)
    model.train_step({"image": images})
    assert int(model.shown) == 2 * BATCH
    assert model.enter_stage() == 1


def test_a_graph_of_one_stage_refuses_the_next():
    model = create()
    model.enter_stage()
    step = tf.function(model.train_step)
    step(batch(0))
    step(batch(1))
    networks = [variable.value for variable in model.generator.variables]
    networks += [variable.value for variable in model.discriminator.variables]
    before = [variable.numpy() for variable in networks]
    with pytest.raises(tf.errors.InvalidArgumentError, match="this graph is of stage 0"):
        step(batch(2))
    assert all(map(np.array_equal, before, networks))


def test_a_run_that_ends_before_the_networks_are_grown_says_so():
    model = create()
    assert model.foresight(4 * PHASE) == ""
    assert "grow for 32 images, the run shows 31: its last pictures will be of 16x16 pixels" in (
        model.foresight(31)
    )
    assert "will be of 8x8 pixels, enlarged" in model.foresight(3 * PHASE - 1)
    assert "will be of 4x4 pixels, enlarged" in model.foresight(PHASE - 1)


def test_networks_of_unequal_growth_are_refused():
    with pytest.raises(tfgans.UsageError, match="generator has 3 stages and the discriminator 5"):
        create(**{"generator.start_size": 8})


# Resumed, saved, drawn from.


@pytest.mark.parametrize(
    ("trained", "by", "stop"),
    [
        ("progan", "state", 1),
        ("progan", "state", LAST - 1),
        ("progan", "checkpoint", 3),
        ("progan", "keras", 3),
        ("stylegan", "keras", 3),
    ],
    indirect=["trained"],
)
def test_a_run_goes_on_from_any_step_bit_for_bit(trained, tmp_path, stop, by):
    """Begun in the middle of a stage, and ended in that or the next one."""
    model, seen = trained
    part = create(name_of(model))
    for key, variable in part.state().items():
        variable.assign(seen[stop][0][key])
    if by == "checkpoint":
        checkpoints.manager(part, tmp_path).save(checkpoint_number=stop)
        part = create(name_of(model))
        part.train_step(batch(9))
        assert checkpoints.restore(checkpoints.manager(part, tmp_path))
    elif by == "keras":
        part.save(tmp_path / "model.keras")
        part = tfgans.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(part.sample(2, seed=1), seen[stop][1])
    fit(part, 1 if by == "keras" else 2)
    assert equal(values(part), seen[int(part.step)][0])


def test_predictions_are_of_the_stage_in_use():
    model, latents = create(), np.ones((2, 4), "float32")
    pictures = [model.predict(latents, verbose=0)]
    model.shown.assign(LAST * BATCH)
    pictures.append(model.predict(latents, verbose=0))
    np.testing.assert_array_equal(pictures[1], model.generate(latents))
    assert pictures[0].shape == pictures[1].shape == (2, SIZE, SIZE, 1)


@pytest.mark.parametrize(("name", "shown"), [("progan", 0), ("progan", 12), ("stylegan", 40)])
def test_an_export_holds_the_stage_in_use_alone(tmp_path, name, shown):
    model = create(name, ema_decay=0.0)
    model.shown.assign(shown)
    model.enter_stage()
    loaded = saved.load_saved_model(export.export(model, tmp_path / "export", {}))
    levels = np.abs(loaded.sample(3, seed=2).astype(int) - model.sample(3, seed=2))
    assert levels.max() <= 1
    held = {variable.name.split(":")[0] for variable in loaded.module.weights}
    used = {id(variable.value) for variable in model.generator.network.variables}
    wanted = {key for key, value in model.state().items() if id(value) in used}
    assert held == wanted | ({"shown"} if model.generator.fades else set())
    assert loaded.card["image_shape"] == [SIZE, SIZE, 1]


def test_pictures_lie_between_black_and_white():
    model = create()
    for variable in model.average.trainable_variables:
        variable.assign(5.0 * variable)
    picture = model.generate(model.draw_latent(4, 0, np.inf)).numpy()
    assert picture.min() >= -1.0
    assert picture.max() <= 1.0


def test_a_whole_run_grows_and_is_resumed(tmp_path):
    """As a user trains: pictures, log, checkpoints and export of a run through all stages."""
    words = {"dataset": "optdigits", "batch_size": 8, "checkpoint_every": 5}
    options = {**THIN, **GROWING, "generator.phase_images": 40}  # five steps

    def run(folder, **given):
        return training.train(
            "progan", run_dir=tmp_path / folder, export_dir=tmp_path / f"{folder}-out", **given
        )

    whole = run("whole", steps=18, options=options, eval_every=6, **words)
    run("parts", steps=7, options=options, **words)
    parts = run("parts", steps=18, resume=True)
    assert whole.steps == parts.steps == 18
    assert whole.model.enter_stage() == 2
    assert (whole.run_dir / "samples" / "training.gif").exists()
    cards = [saved.load_saved_model(each.export_dir).card for each in (whole, parts)]
    assert cards[0]["last_weights_sha256"] == parts.weights_sha256
    assert [card["image_shape"] for card in cards] == [[8, 8, 1]] * 2


# Sizes.


@pytest.mark.parametrize("name", NAMES)
def test_a_thin_one_takes_a_step_at_1024(name):
    """In the middle of the last fade, with two images; and draws a picture."""
    row = registry.load(name)
    thin = {"generator.latent_dim": 8, "generator.width": 8, "discriminator.width": 8}
    thin |= {"generator.base": 4096, "discriminator.base": 4096, "ema_decay": 0.0}
    model = tfgans.create(row, tfgans.DataSpec((1024, 1024, 3)), **{**thin, **GROWING})
    assert len(model.generator.networks) == 17
    model.shown.assign(15 * PHASE + PHASE // 2)
    logs = model.train_step({"image": tf.random.stateless_uniform((2, 1024, 1024, 3), (0, 0))})
    assert model.generator.stage == 15
    assert np.isfinite([float(value) for value in logs.values()]).all()
    assert all(float(logs[f"grad_norm/{player}"]) > 0 for player in model.players)
    assert model.sample(1).shape == (1, 1024, 1024, 3)
