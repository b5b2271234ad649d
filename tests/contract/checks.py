"""What every row of the zoo promises, as functions that raise AssertionError where it is broken.

`test_rows.py` calls them for each row of the registry (or a user's own: `--variant=./my_gan.py`),
`test_planted_faults.py` for rows that are broken on purpose.
"""

import math
import tempfile

import keras
import numpy as np
import tensorflow as tf
from support import (
    BATCH,
    SEEDS,
    assign,
    changed,
    may_move,
    optimized,
    plain_process,
    refused,
    snapshot,
    spying,
    values,
    without_order,
)

import tfgans
from tfgans import base, checkpoints, export, runs
from tfgans.adversarial import AdversarialModel
from tfgans.growing import GrowingModel
from tfgans.variant import routed

CRITIC = ("discriminator",)
OTHER_WORDS = {"normal": "uniform", "uniform": "normal", "softplus": "sqrt", "kl": "pearson"}
HALF = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}


def check_scheme(subject):
    """The class says its own step, and is made from a base: no scheme is made from another."""
    scheme = subject.row.model
    assert "train_step" in vars(scheme), f"{scheme.__name__} has no train_step of its own"
    allowed = (base.GenerativeModel, AdversarialModel, GrowingModel)
    assert scheme.__bases__ in [(one,) for one in allowed], f"inherits from {scheme.__bases__}"


def check_options(subject):
    """Every option has a meaning, the tiny ones exist, and what is wrong is refused by name."""
    row, table = subject.row, subject.row.defaults()
    without = [key for key, text in row.meanings().items() if len(text.split()) < 3]
    assert not without, f"options without a meaning: {without}"
    unknown = set(subject.options) - set(table)
    assert not unknown, f"tiny has unknown keys {unknown}"
    assert row.resolve(subject.options).items() >= subject.options.items()
    for key, value in table.items():
        if value is not None:
            with refused(f"^{key}=.* must be of type "):
                row.resolve({key: _of_another_type(value)})
        with refused(f"no option '{key}x'.* Did you mean .*'{key}'"):
            subject.create(**{f"{key}x": value})


def check_config(subject):
    """A model rebuilt from its config has every constructor argument, also where not default."""
    given = _other_options(subject)
    model = subject.create(**given)
    rebuilt = type(model).from_config(model.get_config())
    for key, value in given.items():
        found = getattr(rebuilt, key, "nothing")
        assert found == value, f"{key}={value!r} is {found!r} in the model rebuilt from its config"
    assert rebuilt.seed == model.seed
    assert rebuilt.classes == model.classes, f"classes {model.classes} are {rebuilt.classes}"


def check_options_matter(subject):
    """Each constructor argument of the class changes a step, or what is drawn after it."""

    def outcome(model):
        model.step.assign(model.steps // 2)  # what is annealed is under way
        subject.eager_steps(model, 1)
        return model.weights_sha256(), model.sample(4).tobytes()

    usual = outcome(subject.reset())
    for key, value in _other_options(subject).items():
        with_other = outcome(subject.create(**{key: value}))
        assert with_other != usual, f"{key}={value!r} changes nothing"


def check_owners(subject):
    """Each variable has one owner; a step of one player changes nothing that is another's."""
    model = subject.reset()
    players = [player for moved in model.optimizes.values() for player in moved]
    assert sorted(players) == sorted(model.players), f"optimizes says {model.optimizes}"
    ids = [id(v) for player in model.players for v in getattr(model, player).variables]
    assert len(ids) == len(set(ids)), "two players share a variable"
    before = values(model)
    with spying(model, "minimize") as calls:
        calls.on_call = lambda: values(model)
        subject.eager_steps(model, 1)
    assert calls, "the step never calls minimize"
    moments = [*(call["before"] for call in calls), values(model)]
    assert not changed(before, moments[0]), "something changes before the first minimize"
    for number, call in enumerate(calls):
        allowed = may_move(model, call["arguments"][0])
        if number == len(calls) - 1:
            allowed |= {name for name in before if name.startswith("average/")}
        stray = changed(moments[number], moments[number + 1]) - allowed
        assert not stray, f"the step of {call['arguments'][0]} changes {sorted(stray)}"


def check_state(subject):
    """`state()` holds everything that training changes: it is what checkpoints save."""
    model = subject.reset()
    held = {id(variable) for variable in model.state().values()}
    networks = [getattr(model, player) for player in model.players]
    networks += [model.average] if model.average is not None else []
    drawing = [v for net in networks for v in net.variables if v.path.endswith(SEEDS)]
    held |= {id(v.value) for v in drawing}  # each step sets these anew, from its seed and number
    keepers = [model, *(getattr(model, name) for name in model.optimizes)]
    missing = [v.path for keeper in keepers for v in keeper.variables if id(v.value) not in held]
    assert not missing, f"state() lacks {missing}"


def check_logs(subject):
    """What is logged is what is declared, in training and eagerly, and finite."""
    declared = sorted(subject.model.all_logs)
    eager = subject.eager_steps(subject.reset(), 1)
    for logs in (*subject.trained["logs"], eager):
        assert sorted(logs) == declared, f"logs {sorted(logs)}, declares {declared}"
        bad = {name: float(value) for name, value in logs.items() if not math.isfinite(value)}
        assert not bad, f"not finite: {bad}"


def check_kernels_move(subject):
    """Every kernel of each player moves, also after the first step, which may only clip it."""
    model, states = subject.model, subject.trained
    for player in model.players:
        for index, variable in enumerate(getattr(model, player).variables):
            if variable.path.endswith(("/kernel", "/embeddings")):
                name = f"{player}/{index:03d}"
                still = np.array_equal(states[1][name], states[3][name])
                assert not still, f"{variable.path} of {player} never moves"


def check_counts(subject):
    """The model counts its steps and each optimiser its own, as `updates_per_step` says."""
    model = subject.reset_critical()
    for step in (1, 2):
        subject.eager_steps(model, 1)
        assert int(model.step) == step, f"step is {int(model.step)} after {step}"
        for name in model.optimizes:
            done = int(getattr(model, name).iterations)
            said = step * model.updates_per_step(name)
            assert done == said, f"{name} has done {done} updates after {step} steps, says {said}"


def check_schedules(subject):
    """Linear and cosine rates of every optimiser end at 0 with the last of `steps` steps."""
    model, steps = subject.reset_critical(), 4
    subject.eager_steps(model, 1)
    counts = {name: int(getattr(model, name).iterations) for name in model.optimizes}
    cosine = {f"{name}.schedule": "cosine" for name in model.optimizes}
    several = {"n_critic": 2} if "n_critic" in subject.row.defaults() else {}
    for each in (model, subject.create(steps=steps, **several, **cosine)):
        for name, count in counts.items():  # what one step really takes
            optimizer, rates = getattr(each, name), []
            for step in (0, steps // 2, steps):
                optimizer.iterations.assign(step * count)
                rates.append(float(optimizer.learning_rate))
            wanted = [rates[0], rates[0] / 2, 0.0]  # a cosine is half-way down there too
            close = np.allclose(rates, wanted, rtol=1e-5, atol=1e-6 * rates[0])
            assert close, f"{name}: {rates} at steps 0, {steps // 2}, {steps}"


def check_critic_parts(subject):
    """Critic step i sees rows i::n_critic of the step's data; no two draws of noise are equal."""
    model = subject.reset_critical()
    if not isinstance(model, AdversarialModel):
        return
    batch = subject.batch(0, model)
    assert len(batch["image"]) == BATCH * model.n_critic
    with spying(model, "minimize") as calls, spying(model, "latent") as latents:
        model.train_step(batch)
    steps = [call["arguments"] for call in calls if model.optimizes[call["arguments"][0]] == CRITIC]
    assert len(steps) == model.n_critic, f"{len(steps)} critic steps, n_critic={model.n_critic}"
    for number, step in enumerate(steps):
        for key, rows in batch.items():
            same = np.array_equal(step[-1][key], rows[number :: model.n_critic])
            assert same, f"critic step {number} is not given rows {number}::{model.n_critic}"
    with spying(model, "latent") as later:
        model.train_step(batch)
    drawn = [call["result"].numpy().tobytes() for call in (*latents, *later)]
    assert len(set(drawn)) == len(drawn), "the same latents are drawn twice"


def check_needs(subject):
    """The row trains on what it declares to need, and on no less."""
    try:
        subject.eager_steps(subject.reset(), 1)
    except KeyError as error:
        raise AssertionError(f"declares {subject.needs} but wants {error}") from error
    for key in subject.needs:
        batch = subject.batch(0)
        del batch[key]
        try:
            subject.reset().train_step(batch)
        except KeyError:
            continue
        raise AssertionError(f"declares to need {key}, but trains without it")


def check_eager_equals_graph(subject):
    """One step in plain Python ends in the weights of one traced step, to 1e-4."""
    graph = subject.trained
    model = subject.reset()
    logs = subject.eager_steps(model, 1)
    for name, value in snapshot(model).items():
        error = float(np.max(np.abs(value.astype("float64") - graph[1][name]), initial=0.0))
        assert error <= 1e-4, f"{name} differs by {error}"
    for name, value in logs.items():
        np.testing.assert_allclose(value, graph["logs"][0][name], rtol=1e-3, atol=1e-4)


def check_order(subject):
    """TensorFlow's optimizers leave all reads and writes of each variable in their order."""
    nodes = optimized(subject.model.train_step, subject.batch(0))
    assert any("Assign" in node.op for node in nodes.values()), "the graph writes nothing"
    pairs = without_order(nodes)
    assert not pairs, f"{len(pairs)} pairs have no order, such as {pairs[0]}"


def check_equal_runs(subject):
    """Eight runs from one start end in one hash."""
    hashes = set()
    for _ in range(8):
        model = subject.reset()
        subject.fit(model, 3)
        hashes.add(model.weights_sha256())
    assert len(hashes) == 1, f"eight equal runs gave {len(hashes)} hashes"


def check_seeds(subject):
    """Weights and noise are functions of the seed: same seed, same run; another, another."""
    first, hashes = subject.reset(), []
    for model in (first, subject.create(seed=0), subject.create(seed=1)):
        new = model.weights_sha256()
        subject.eager_steps(assign(model, subject.start), 1)
        hashes.append((new, model.weights_sha256()))
    assert hashes[0] == hashes[1], "two models made with one seed differ"
    assert hashes[2][0] != hashes[0][0], "another seed gives the same first weights"
    assert hashes[2][1] != hashes[0][1], "another seed gives the same noise in training"


def check_keras_file(subject):
    """A `.keras` file read back goes on bit for bit."""
    model = subject.after_three_steps()
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        loaded = tfgans.load(f"{folder}/model.keras")
    assert loaded.weights_sha256() == model.weights_sha256(), "other weights are read than written"
    for each in (model, loaded):
        subject.fit(each, 2)
    assert loaded.weights_sha256() == model.weights_sha256(), "goes on another way when read back"


def check_checkpoint(subject):
    """A checkpoint restored into a fresh model, already trained elsewhere, goes on bit for bit."""
    model = subject.after_three_steps()
    other = subject.create(seed=0)
    subject.eager_steps(other, 1)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints.manager(model, folder).save(checkpoint_number=3)
        assert checkpoints.restore(checkpoints.manager(other, folder))
    assert int(other.step) == 3
    for each in (model, other):
        subject.eager_steps(each, 2)
    assert other.weights_sha256() == model.weights_sha256(), "goes on another way when restored"


def check_average(subject):
    """The averaged network moves by min(decay, (1 + t) / (10 + t)), and is the one sampled.

    Power iterations are no averages: those of the averaged kernels go on by themselves.
    """
    table = subject.row.defaults()
    assert "ema_decay" in table, "has no option ema_decay"
    plain = subject.model
    assert plain.ema_decay or plain.sampler is getattr(plain, plain.generates)
    decay = 0.2  # the ramp is 1/10, 2/11, then 3/12 > 0.2
    model = subject.create(ema_decay=decay)
    network = getattr(model, model.generates)
    assert model.average is not network
    assert model.sampler is model.average, "it is not the average that is sampled"
    spectral = [layer for layer in model.average._flatten_layers() if hasattr(layer, "advance")]
    iterated = {id(vector) for layer in spectral for vector in (layer.u, layer.v)}
    wanted = [v.numpy().astype("float64") for v in network.weights]
    for step in range(3):
        before = [layer.u.numpy() for layer in spectral]
        subject.eager_steps(model, 1)
        share = min(decay, (1 + step) / (10 + step))
        wanted = [
            share * mean + (1 - share) * variable.numpy()
            for mean, variable in zip(wanted, network.weights, strict=True)
        ]
        for mean, variable in zip(wanted, model.average.weights, strict=True):
            if id(variable) in iterated:
                continue
            sizes = np.maximum(1.0, np.abs(mean))  # some weights are hundreds
            error = float(np.max(np.abs(mean - variable.numpy()) / sizes))
            assert error < 1e-6, f"the average is off by {error} after step {step}"
        for u, layer in zip(before, spectral, strict=True):
            kernel = layer.layer.kernel.numpy()
            kernel = kernel.reshape(-1, kernel.shape[-1])
            v = u @ kernel.T / np.linalg.norm(u @ kernel.T)
            u = v @ kernel / np.linalg.norm(v @ kernel)
            error = max(np.abs(v - layer.v).max(), np.abs(u - layer.u).max())
            assert error < 1e-5, f"a power iteration of the average is off by {error}"


def check_sampling(subject):
    """Pictures are a function of the seed alone, and looking at them changes nothing."""
    model = subject.after_three_steps()
    if model.takes_label:
        latent = model.draw_latent(4, 1, math.inf)
        one, other = (model.generate(latent=latent, label=tf.fill([4], k)) for k in (0, 1))
        assert np.abs(one - other).max() > 0, "the label changes no picture"
    _add_contrast(model)
    before = model.weights_sha256()
    pictures = model.sample(5, seed=3)
    assert pictures.dtype == np.uint8
    assert pictures.shape == (5, *subject.data.image_shape)
    assert np.array_equal(pictures, model.sample(5, seed=3)), "one seed gives two sets of pictures"
    assert not np.array_equal(pictures, model.sample(5, seed=4)), "the seed changes nothing"
    levels = np.abs(model.sample(70, seed=3)[:5].astype(int) - pictures).max()
    assert levels <= 1, f"pictures depend on how many are asked for: by {levels} levels"
    assert np.abs(model.draw_latent(99, 0, 0.5)).max() <= 0.5, "latents beyond the truncation"
    assert np.abs(model.draw_latent(99, 0, math.inf)).max() > 0.5
    if model.takes_label:
        check_sampling_labels(model)
    else:
        with refused("makes pictures without labels"):
            model.sample(1, label=0)
    assert model.weights_sha256() == before, "sampling changes the model"


def check_sampling_labels(model):
    """Classes are asked for, one for all or one for each picture, or drawn by the seed."""
    labels = model.draw_label(99, 0, -1).numpy()
    assert set(labels) == set(model.classes), f"classes by chance are {set(labels)}"
    assert (labels != model.draw_label(99, 1, -1).numpy()).any(), "the seed draws no other classes"
    kept = model.draw_label(3, 0, [2, -1, 1]).numpy()[[0, 2]].tolist()
    assert kept == [2, 1], f"asked for 2 and 1, labels are {kept}"
    drawn = model.draw_label(6, 3, -1).numpy()
    by_chance, asked, others = (
        model.sample(6, seed=3, label=label).astype(int) for label in (None, drawn, (drawn + 1) % 3)
    )
    assert np.abs(by_chance - asked).max() <= 1, "other labels than drawn are used"
    assert (np.abs(asked - others).max(axis=(1, 2, 3)) > 1).all(), "labels cannot be seen"
    with refused(f"label={len(model.classes)} is no class of this model, which has 0-"):
        model.sample(1, label=len(model.classes))
    with refused("must be one int, or 2 of them"):
        model.sample(2, label=[0, 1, 2])


def check_export(subject):
    """The SavedModel does what the model does, in a process without `tfgans` and keras."""
    model = _add_contrast(subject.after_three_steps())
    with tempfile.TemporaryDirectory() as folder:
        target = export.export(model, f"{folder}/export", {"variant": subject.row.name})
        np.savez(target / "expected.npz", **_expected(model))
        problem = plain_process().ask(target)
    assert problem is None, problem


def check_precision(subject, policy):
    """A step in half precision: finite float32 logs and pictures, and a step of the right size."""
    with runs.precision_scope(policy):
        model = subject.create()
        _check_half(model, policy)
        batch = subject.batch(0, model)
        logs = model.train_step(batch)
    for name, value in logs.items():
        assert math.isfinite(value), f"{name} is {value}"
        assert value.dtype == tf.float32, f"{name} is {value.dtype}"
    inputs = {"latent": model.draw_latent(3, 0, math.inf)}
    if model.takes_label:
        inputs["label"] = model.draw_label(3, 0, -1)
    images = model.generate(**inputs)
    assert images.dtype == tf.float32, f"images are {images.dtype}"
    if hasattr(model, "critic"):
        logits = model.critic(batch)(model.presented(batch["image"], "check"))
        assert logits.dtype == tf.float32, f"logits are {logits.dtype}"
    for player in model.players:
        norms = [float(each[f"grad_norm/{player}"]) for each in (logs, subject.trained["logs"][0])]
        assert 0.5 < norms[0] / norms[1] < 2, f"{player}: gradients of {norms[0]}, not {norms[1]}"
        moved = [
            _distance(subject, player, after) for after in (snapshot(model), subject.trained[1])
        ]
        assert 0.5 < moved[0] / moved[1] < 2, f"{player} moves {moved[0]}, in float32 {moved[1]}"


def _check_half(model, policy):
    """Half precision where it is wanted, float32 where not, and losses scaled for float16."""
    for name in model.optimizes:
        optimizer = getattr(model, name)
        wrapped = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert wrapped == (policy == "mixed_float16"), f"{name}: loss scaling is {wrapped}"
        if wrapped:
            optimizer.dynamic_scale.assign(2.0**10)  # the first one may skip some steps
    for player in model.players:
        dtypes = {layer.compute_dtype for layer in getattr(model, player)._flatten_layers()}
        assert HALF[policy] in dtypes, f"{player} computes in {dtypes}"
    assert {v.dtype for v in model.trainable_variables} == {"float32"}


def check_traced_precision(subject, policy):
    """The traced step in half precision, and its loss scale through a `.keras` file."""
    with runs.precision_scope(policy):
        model = subject.create()
        logs = subject.fit(model, 2)
    assert all(math.isfinite(value) for value in logs.values()), logs
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        loaded = tfgans.load(f"{folder}/model.keras")
    for each in (model, loaded):
        subject.eager_steps(each, 1)
    assert loaded.weights_sha256() == model.weights_sha256(), "goes on another way when read back"


CHECKS = (
    check_scheme,
    check_options,
    check_config,
    check_owners,
    check_state,
    check_logs,
    check_kernels_move,
    check_counts,
    check_schedules,
    check_critic_parts,
    check_needs,
    check_eager_equals_graph,
    check_order,
    check_equal_runs,
    check_seeds,
    check_keras_file,
    check_checkpoint,
    check_average,
    check_sampling,
    check_export,
)


def _distance(subject, player, after):
    """How far the trainable variables of a player have moved from the start."""
    variables = getattr(subject.model, player).variables
    names = [f"{player}/{i:03d}" for i, variable in enumerate(variables) if variable.trainable]
    return math.sqrt(sum(np.sum((after[name] - subject.start[name]) ** 2) for name in names))


def _of_another_type(value):
    return 3 if isinstance(value, (str, list, tuple)) else "many"


def _other_options(subject):
    """Another value for each constructor argument of the class, where it has a choice."""
    others = {}
    for key, value in routed(subject.row.resolve(subject.options), "").items():
        others[key] = _another(value)
        if isinstance(value, str):
            try:
                subject.create(**{key: others[key]})
            except tfgans.UsageError:  # a scheme that knows one word only
                del others[key]
    return others


def _another(value):
    """A value of the same type that is not the default, and allowed."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 3
    if isinstance(value, float):
        return value / 16 + 0.03  # of a decay too little for the ramp to hide it
    if isinstance(value, (list, tuple)):
        return [2 * each for each in value]
    return OTHER_WORDS.get(value, value)


def _add_contrast(model):
    """Moves what is sampled so far that seeds and classes differ by many levels of a picture.

    Hardly trained, a generator may make nothing but grey, in which no fault of a level shows.
    """
    for index, variable in enumerate(model.sampler.trainable_variables):
        variable.assign_add(0.3 * tf.random.stateless_normal(variable.shape, (index, 0)))
    return model


def _expected(model):
    """What the model in memory makes, to hold an export against; see `plain_tensorflow`."""
    inputs = {"latent": model.draw_latent(5, 1, math.inf)}
    labelled = {}
    if model.takes_label:
        inputs["label"] = model.draw_label(5, 1, -1)
        labelled["labelled"] = model.sample(6, seed=7, label=[1, 0, 1, 0, 1, 0])
        labelled["classes"] = model.classes
    return {
        **inputs,
        **labelled,
        "image": model.generate(**inputs),
        "sample": model.sample(70, seed=7),
        "truncated": model.sample(6, seed=7, truncation=0.3),
    }
