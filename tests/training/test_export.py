import hashlib
import json
import math
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans import DataSpec, TrainingError, UsageError, export, registry, saved

DATA = tfgans.DataSpec((8, 8, 1))
CARD = {"variant": "wgan_gp", "seed": np.int64(3), "options": {"limit": math.inf, "rate": 0.5}}


def tiny(name):
    return tfgans.create(name, DATA, **registry.load(name).tiny)


def weights_file(folder):
    return folder / "variables" / "variables.data-00000-of-00001"


@pytest.fixture(scope="module", params=["wgan_gp", "vae"])
def exported(request, tmp_path_factory):
    model = tiny(request.param)
    for index, variable in enumerate(model.sampler.variables):  # BatchNorm's too: not the defaults
        variable.assign(variable + 0.01 * (index + 1))
    folder = tmp_path_factory.mktemp("export") / "deep" / request.param
    return model, export.export(model, folder, {**CARD, "variant": request.param})


@pytest.fixture(scope="module")
def drawer(exported):
    return saved.load_saved_model(exported[1])


@pytest.fixture
def module_folder(tmp_path):
    """A quick stand-in for an export: a SavedModel with two classes and a card."""
    spec = [tf.TensorSpec((), tf.int32, name="n"), tf.TensorSpec((), tf.int32, name="seed")]

    @tf.function(input_signature=[*spec, tf.TensorSpec(None, tf.int32, name="label")])
    def sample(n, seed, label=-1):
        levels = tf.broadcast_to(label + seed, (n,))
        return {"image": tf.cast(levels, tf.uint8)[:, None, None, None]}

    module = tf.Module()
    module.sample = sample
    tf.saved_model.save(module, str(tmp_path / "two"), signatures={"sample": sample})
    (tmp_path / "two" / "card.json").write_text(json.dumps({"labels": [0, 1]}))
    return tmp_path / "two"


ALONE = """
import importlib.machinery
import sys

class Blocker:
    blocked = {"tfgans", "keras", "tf_keras"}

    def find_spec(self, name, path=None, target=None):
        # TensorFlow looks where Keras lies, and goes on when it cannot import it.
        if name.partition(".")[0] in self.blocked:
            return importlib.machinery.ModuleSpec(name, self, origin="/nowhere/keras/__init__.py")

    def create_module(self, spec):
        raise ImportError(spec.name + " is blocked")

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Blocker())
import numpy as np
import tensorflow as tf

folder, expected = sys.argv[1:]
loaded = tf.saved_model.load(folder)
given = np.load(expected)
short = loaded.sample(n=16, seed=7)
full = loaded.signatures["sample"](
    n=tf.constant(16), seed=tf.constant(7), truncation=tf.constant(float("inf")))
assert np.array_equal(short["image"], full["image"])
assert np.abs(short["image"].numpy().astype(int) - given["sample"]).max() <= 1
serve = loaded.signatures["serving_default"]
many = serve(latent=tf.constant(given["latent"]))["image"].numpy()
np.testing.assert_allclose(many, given["image"], atol=1e-6, rtol=0)
for size in (1, 3):
    part = serve(latent=tf.constant(given["latent"][:size]))["image"].numpy()
    np.testing.assert_allclose(part, many[:size], atol=1e-6, rtol=0)
    assert loaded.sample(n=size, seed=7)["image"].shape[0] == size

Blocker.blocked = {"keras", "tf_keras"}
from tfgans.saved import load_saved_model
assert np.array_equal(load_saved_model(folder).sample(16, seed=7), short["image"])
assert not {"keras", "tf_keras"} & set(sys.modules)
"""


def test_loads_where_neither_tfgans_nor_keras_can_be_imported(exported, tmp_path):
    model, folder = exported
    latent = np.random.default_rng(0).normal(size=(5, model.latent_dim)).astype(np.float32)
    np.savez(
        tmp_path / "expected.npz",
        latent=latent,
        image=model.generate(tf.constant(latent)),
        sample=model.sample(16, seed=7),
    )
    command = [sys.executable, "-c", ALONE, folder, tmp_path / "expected.npz"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_draws_what_the_model_draws(exported, drawer):
    model, _ = exported
    for arguments in ({}, {"seed": 5}, {"seed": 5, "truncation": 0.5}):
        drawn = drawer.sample(3, **arguments)
        assert drawn.dtype == np.uint8
        assert np.abs(drawn.astype(int) - model.sample(3, **arguments)).max() <= 1
    assert not np.array_equal(drawer.sample(3, seed=1), drawer.sample(3, seed=2))


def test_any_number_of_images_is_made_of_latents(exported, drawer):
    """In parts of 64, so that memory stays bounded."""
    model, _ = exported
    latent = np.random.default_rng(1).normal(size=(130, model.latent_dim)).astype(np.float32)
    made = drawer.generate(latent)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, model.generate(tf.constant(latent)), atol=1e-5)
    np.testing.assert_allclose(drawer.generate(latent[64:65]), made[64:65], atol=1e-5)


def test_signatures_and_methods_of_the_same_names(exported, drawer):
    model, folder = exported
    loaded = tf.saved_model.load(str(folder))
    assert set(drawer.signatures) == set(model.signatures())
    for name, (_, specs) in model.signatures().items():
        inputs = drawer.signatures[name].structured_input_signature[1]
        assert inputs == {spec.name: spec for spec in specs}
        assert callable(getattr(loaded, name))
    assert loaded.sample(4)["image"].shape == (4, 8, 8, 1)


def test_gradients_by_the_latent_can_be_had(exported, caplog):
    model, folder = exported
    loaded = tf.saved_model.load(str(folder))
    assert "custom gradients" not in caplog.text
    latent, gradients = tf.random.stateless_normal((3, model.latent_dim), (0, 1)), []
    for function in (lambda z: loaded.serving_default(latent=z)["image"], model.generate):
        with tf.GradientTape() as tape:
            tape.watch(latent)
            total = tf.reduce_sum(tf.square(function(latent)))
        gradients.append(tape.gradient(total, latent))
    assert np.abs(gradients[0]).max() > 0
    np.testing.assert_allclose(*gradients, rtol=1e-3, atol=1e-6)


def test_each_weight_is_stored_once_and_no_other(exported):
    model, folder = exported
    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    stored = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    used = model.sampler.variables
    if "encode" in model.signatures():
        used = used + model.encoder.variables
    assert len(stored) == len(used)
    num_bytes = sum(variable.numpy().nbytes for variable in used)
    assert num_bytes <= weights_file(folder).stat().st_size <= num_bytes + 4000


def test_card_says_what_was_given_and_how_to_call(exported, drawer):
    model, folder = exported
    card = json.loads((folder / "card.json").read_text())
    assert card == drawer.card
    assert card["seed"] == 3
    assert card["options"] == {"limit": None, "rate": 0.5}
    assert card["image_shape"] == [8, 8, 1]
    assert card["labels"] == []
    assert card["latent_distribution"] == "normal"
    assert "threshold on |z|" in card["truncation"]
    assert card["signatures"]["serving_default"] == {
        "inputs": {"latent": f"float32 (?, {model.latent_dim})"},
        "outputs": {"image": "float32 (?, 8, 8, 1)"},
    }
    assert card["signatures"]["sample"]["outputs"] == {"image": "uint8 (?, 8, 8, 1)"}


@pytest.mark.parametrize("exported", ["vae"], indirect=True)
def test_the_functions_of_a_family(exported, drawer):
    model, _ = exported
    image = tf.random.stateless_uniform((3, 8, 8, 1), (0, 0), -1.0, 1.0)
    latent = drawer.module.encode(image)["latent"]
    rebuilt = drawer.module.reconstruct(image)["image"]
    assert latent.shape == (3, model.latent_dim)
    np.testing.assert_allclose(drawer.module.decode(latent)["image"], rebuilt, atol=1e-6)


def test_equal_models_give_equal_bytes_whatever_their_layers_are_called(exported, tmp_path):
    model, folder = exported
    twin = tiny("vae" if "encode" in model.signatures() else "wgan_gp")
    for mine, other in zip(twin.state().values(), model.state().values(), strict=True):
        mine.assign(other)
    names = [[variable.path for variable in m.sampler.variables] for m in (model, twin)]
    assert names[0] != names[1]  # Keras counts on: the test would else show nothing
    again = export.export(twin, tmp_path / "twin", {})
    hashes = {hashlib.sha256(weights_file(f).read_bytes()).hexdigest() for f in (folder, again)}
    assert len(hashes) == 1


# The folder.


def test_replaces_an_export_whole(exported, tmp_path):
    model, _ = exported
    weights = model.weights_sha256()
    folder = export.export(model, tmp_path / "out", {"run": 1})
    (folder / "assets").mkdir(exist_ok=True)
    (folder / "assets" / "stale").write_text("of the old export")
    export.export(model, folder, {"run": 2})
    assert json.loads((folder / "card.json").read_text())["run"] == 2
    assert not (folder / "assets" / "stale").exists()
    assert model.weights_sha256() == weights
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_replacing_with_and_without_the_help_of_linux(tmp_path, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr(export, "_exchange", lambda new, target: False)
    new, target = tmp_path / ".t.1.partial", tmp_path / "t"
    for folder in (new, target):
        folder.mkdir()
        (folder / folder.name).touch()
    export._replace(new, target)
    assert [path.name for path in target.iterdir()] == [".t.1.partial"]
    assert [path.name for path in new.iterdir()] == ["t"]
    assert len(list(tmp_path.iterdir())) == 2


def test_never_deletes_what_is_no_export(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.png").touch()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"photos': it holds 'me\.png', so it is not an export"):
        export.check_directory(tmp_path / "photos")
    with pytest.raises(UsageError, match="it is a file"):
        export.check_directory(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    assert export.check_directory(tmp_path / "empty") == tmp_path / "empty"
    assert export.check_directory(tmp_path / "new") == tmp_path / "new"


def test_an_export_with_other_things_in_it_is_kept(module_folder):
    assert export.check_directory(module_folder) == module_folder
    (module_folder / "run").mkdir()
    with pytest.raises(UsageError, match=r"it holds 'run', so it is not an export; give a new"):
        export.check_directory(module_folder)
    (module_folder / "run").rmdir()
    (module_folder / "saved_model.pb").unlink()
    with pytest.raises(UsageError, match=r"it has no saved_model\.pb, so it is not an export"):
        export.check_directory(module_folder)


def test_places_where_no_export_can_be_written_are_told(tmp_path):
    (tmp_path / "file").touch()
    for place, reason in (
        (tmp_path / "file" / "deep" / "export", "Not a directory"),
        ("/proc/export", "(No such file or directory|Permission denied)"),
        (tmp_path / ("x" * 250), "File name too long"),  # with what is written beside it
    ):
        with pytest.raises(UsageError, match=f"^cannot export to '.*': {reason}$"):
            export.check_directory(place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_export(exported, tmp_path):
    model, _ = exported
    folder = export.export(model, tmp_path / "out", {"run": 1})
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(TrainingError, match=r"^cannot write the export '.*/out': .+") as caught:
            export.export(model, folder, {"run": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert list(tmp_path.iterdir()) == [folder]


# Loading and its refusals.


def test_refuses_what_is_no_saved_model(tmp_path):
    with pytest.raises(UsageError, match=r"is not a SavedModel: it has no saved_model\.pb"):
        saved.load_saved_model(tmp_path)
    with pytest.raises(UsageError, match="is not a SavedModel"):
        saved.load_saved_model(tmp_path / "missing")
    (tmp_path / "saved_model.pb").write_bytes(b"not a protocol buffer")
    with pytest.raises(UsageError, match="cannot read the SavedModel") as caught:
        saved.load_saved_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_refuses_damaged_weights_and_a_damaged_card(module_folder):
    card = module_folder / "card.json"
    card.write_text("{")
    with pytest.raises(UsageError, match="cannot read the SavedModel"):
        saved.load_saved_model(module_folder)
    card.write_text("[1]")
    with pytest.raises(UsageError, match=r"its card\.json holds no table but \[1\]$"):
        saved.load_saved_model(module_folder)
    card.unlink()
    assert saved.load_saved_model(module_folder).card == {}


def test_refuses_files_that_are_cut_off(exported, tmp_path):
    bad = shutil.copytree(exported[1], tmp_path / "bad")
    whole = weights_file(bad).read_bytes()
    for keep in (0, 10, len(whole) - 1):
        weights_file(bad).write_bytes(whole[:keep])
        with pytest.raises(UsageError, match=r"^cannot read the .*: a file of it is .* cut off$"):
            saved.load_saved_model(bad)
    (bad / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UsageError, match=r"^cannot read the .*: its saved_model\.pb is empty$"):
        saved.load_saved_model(bad)


def test_a_run_is_no_saved_model_but_names_its_own(tmp_path, monkeypatch):
    (tmp_path / "options.json").touch()
    monkeypatch.setattr(export.runs, "read_options", lambda path: {"export_dir": "mine"})
    with pytest.raises(UsageError, match=r"is a run, not a SavedModel: its export is 'mine'$"):
        saved.load_saved_model(tmp_path)


def test_more_pictures_than_memory_are_told(module_folder):
    drawer = saved.load_saved_model(module_folder)

    class Full:
        def sample(self, **arguments):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nfar more")

    drawer.module = Full()
    with pytest.raises(TrainingError, match=r"^out of memory: n=9 pictures at once are too many$"):
        drawer.sample(9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n=0 must lie between 1 and 2147483647"),
        ({"n": 2.5}, r"n=2\.5 must be an int"),
        ({"n": 1, "seed": 2**31}, "seed=2147483648 must lie between"),
        ({"n": 1, "truncation": 0.0}, r"truncation=0\.0 must be a number of at least 1e-06"),
        ({"n": 1, "truncation": math.nan}, "truncation=nan must be a number of at least 1e-06"),
        ({"n": 1, "label": 1}, "label=1: this model makes pictures without labels"),
    ],
)
def test_refuses_in_one_line(drawer, arguments, message):
    with pytest.raises(UsageError, match=f"^{message}.*$"):
        drawer.sample(**arguments)


def test_labels_of_a_model_that_takes_them(module_folder):
    drawer = saved.load_saved_model(module_folder)
    assert drawer.sample(3, seed=5, label=1).ravel().tolist() == [6, 6, 6]
    assert drawer.sample(3, label=[1, 0, 1]).ravel().tolist() == [1, 0, 1]
    assert drawer.sample(2, seed=5).ravel().tolist() == [4, 4]  # its own default, -1
    for label in (2, -1, [0, 1, 2]):
        with pytest.raises(UsageError, match="is no class of this model, which has 0-1"):
            drawer.sample(3, label=label)
    for labels in ([], ["0"], None, 1):
        (module_folder / "card.json").write_text(json.dumps({"labels": labels}))
        with pytest.raises(UsageError, match=r"takes labels, but its card\.json does not say"):
            saved.load_saved_model(module_folder).sample(3, label=0)
    for label in ([0, 1], 1.5, "one"):
        with pytest.raises(UsageError, match="must be one int, or 3 of them"):
            drawer.sample(3, label=label)
    with pytest.raises(UsageError, match=r"truncation=0\.5: this model's latents are not"):
        drawer.sample(3, truncation=0.5)


def test_a_foreign_saved_model_says_what_it_has(tmp_path):
    module = tf.Module()
    module.run = tf.function(lambda n: {"n": n}, input_signature=[tf.TensorSpec((), tf.int32)])
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.run})
    with pytest.raises(UsageError, match=r"no signature 'sample' .* it has serving_default"):
        saved.load_saved_model(tmp_path).sample(1)


def test_a_foreign_sample_says_what_is_wanted(tmp_path):
    module = tf.Module()
    module.sample = tf.function(lambda x: {"x": x}, input_signature=[tf.TensorSpec((), tf.int32)])
    tf.saved_model.save(module, str(tmp_path), signatures={"sample": module.sample})
    with pytest.raises(UsageError, match=r"no signature 'sample' of n and seed to draw from"):
        saved.load_saved_model(tmp_path).sample(1)


def test_the_latents_of_an_export_without_options_are_still_the_models(tmp_path):
    model = tfgans.create("gmmn", DataSpec((8, 8, 1)), **registry.load("gmmn").tiny)
    loaded = saved.load_saved_model(export.export(model, tmp_path / "out", {"variant": "gmmn"}))
    assert model.latent_distribution == "uniform"
    assert loaded.uniform
    (tmp_path / "out" / "card.json").write_text('{"options": {"latent_distribution": "uniform"}}')
    assert saved.load_saved_model(tmp_path / "out").uniform  # as older code wrote it
