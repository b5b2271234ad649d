"""Classes from the first word of a command line to the last picture: one tiny run, looked at."""

import contextlib
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

import tfgans
from tfgans import callbacks, cli, data, factory, images, judging, randomness, saved
from tfgans.cli import parsing

pytestmark = pytest.mark.xdist_group("cli_labels")

TINY = [
    "train",
    "--variant=cgan",
    "--dataset=digits",
    "--batch_size=4",
    *("--set", "generator.width=4", "discriminator.width=4", "--set", "generator.latent_dim=4"),
    *("--set", "g_optimizer.learning_rate=0.1"),  # three steps to pictures that are not grey
]
MODEL = "--model=saved_models/cgan"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def main(folder):
    """Runs a command here, in the folder of this file's tests: exit code, stdout, stderr."""

    def run(*words):
        out, err = io.StringIO(), io.StringIO()
        to_out, to_err = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
        with contextlib.chdir(folder), to_out, to_err:
            code = cli.main([str(word) for word in words])
        return code, out.getvalue(), err.getvalue()

    return run


@pytest.fixture(scope="module")
def trained(main):
    """What `train --json` printed, and said, of a run of three steps on ones and threes."""
    code, out, err = main(*TINY, "--classes=1,3", "--steps=3", "--json")
    assert code == 0, err
    return {**json.loads(out), "said": err}


@pytest.fixture(scope="module")
def draw(main, trained, folder):
    """Pictures of the run's export, in the order in which they lie in a grid."""

    def run(*words):
        code, out, err = main("generate", MODEL, "--out=drawn.npz", *words)
        assert (code, out) == (0, "drawn.npz\n"), err
        with np.load(folder / "drawn.npz") as file:
            return file["images"].astype(int)

    return run


def assert_refused(answer, says):
    code, out, err = answer
    assert (code, out) == (2, ""), answer
    assert err.count("\n") == 1, err
    assert re.search(says, err), err


def assert_close(pictures, others):
    assert pictures.shape == others.shape
    assert np.abs(pictures - others).max() <= 1  # levels: batches of other sizes round otherwise


def assert_apart(pictures, others):
    assert (np.abs(pictures - others).max(axis=(1, 2, 3)) > 1).all()


# What a run leaves.


def test_card_says_the_classes(trained, folder):
    card = json.loads((folder / trained["export_dir"] / "card.json").read_text())
    assert card["classes"] == card["labels"] == [1, 3]
    assert card["class_names"] == list("0123456789")
    assert card["signatures"]["sample"]["inputs"]["label"] == "int32 of any shape"
    assert card["signatures"]["serving_default"]["inputs"]["label"] == "int32 (?,)"


def test_run_knows_its_classes_when_it_is_loaded(trained, folder):
    options = json.loads((folder / trained["run_dir"] / "options.json").read_text())
    assert options["classes"] == [1, 3]
    assert options["num_classes"] == 10
    model = factory.load(folder / trained["run_dir"])
    model.save(folder / "model.keras")
    for each in (model, tfgans.load(folder / "model.keras")):
        assert each.classes == [1, 3]
        assert set(each.draw_label(50, 0, -1).numpy()) == {1, 3}


def test_sample_grid_has_a_row_for_each_class(trained, folder):
    model = factory.load(folder / trained["run_dir"])
    rows = [
        model.sample(16, seed=callbacks.SAMPLE_SEED, label=[1] * 8 + [3] * 8)[part]
        for part in (slice(8), slice(8, 16))
    ]
    with Image.open(folder / trained["run_dir"] / "samples" / "step-000003.png") as grid:
        levels = np.asarray(grid).astype(int)
    wanted = images.grid_of_rows(rows)[..., 0]
    assert levels.shape == wanted.shape == images.grid(np.concatenate(rows), 8).shape[:2]
    assert np.abs(levels - wanted).max() <= 1


def test_training_tells_its_classes(trained):
    first = trained["said"].splitlines()[0]
    assert first.endswith(": 800 train pictures of 28x28x1, 10 classes, of these 1, 3")


def test_resuming_with_other_classes_is_refused(main, trained):
    resume = ("train", "--resume", f"--run_dir={trained['run_dir']}")
    for classes, shown in (("1", "[1]"), ("0-9", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]")):
        says = rf"--classes={re.escape(shown)} \(the run has \[1, 3\]\)"
        assert_refused(main(*resume, f"--classes={classes}"), says)
    code, _, err = main(*resume, "--classes=3,1", "--export_dir=again")
    assert code == 0, err


# Drawing.


def test_pictures_of_a_class_are_a_function_of_the_seed(draw):
    threes = draw("--num=6", "--seed=5", "--label=3")
    np.testing.assert_array_equal(threes, draw("--num=6", "--seed=5", "--label=3"))
    assert_apart(threes, draw("--num=6", "--seed=5", "--label=1"))
    assert_apart(threes, draw("--num=6", "--seed=6", "--label=3"))


def test_classes_not_asked_for_are_drawn_among_those_trained_on(draw):
    by_chance = draw("--num=40", "--seed=5")
    of_each = [draw("--num=40", "--seed=5", f"--label={label}") for label in (1, 3)]
    near = [np.abs(by_chance - one).max(axis=(1, 2, 3)) <= 1 for one in of_each]
    assert (near[0] ^ near[1]).all()
    assert 8 < near[0].sum() < 32


def test_all_classes_are_a_row_each(draw, main, folder):
    pictures = draw("--num=4", "--seed=5", "--label=all")
    assert len(pictures) == 8
    for row, label in ((pictures[:4], 1), (pictures[4:], 3)):
        of_class = draw("--num=8", "--seed=5", f"--label={label}")
        assert_close(row, of_class[:4] if label == 1 else of_class[4:])
    assert len(draw("--label=all")) == 16
    assert main("generate", MODEL, "--num=4", "--seed=5", "--label=all", "--out=all.png")[0] == 0
    with Image.open(folder / "all.png") as grid:
        levels = np.asarray(grid).astype(int)
    rows = pictures.astype(np.uint8)
    assert np.array_equal(levels, images.grid_of_rows([rows[:4], rows[4:]])[..., 0])


def test_ways_between_pictures_keep_their_class(draw):
    """Row k goes from picture 2k to picture 2k + 1 of the same seed."""
    ways = draw("--num=3", "--interpolate=5", "--seed=5", "--label=3").reshape(3, 5, 28, 28, 1)
    pictures = draw("--num=6", "--seed=5", "--label=3")
    assert_close(ways[:, 0], pictures[::2])
    assert_close(ways[:, -1], pictures[1::2])
    assert_apart(ways[:, 2], ways[:, 0])


def test_ways_without_a_class_are_of_each_in_turn(draw):
    ways = draw("--num=3", "--interpolate=2", "--seed=5")
    for word in ((), ("--label=all",)):
        np.testing.assert_array_equal(ways, draw("--num=3", "--interpolate=2", "--seed=5", *word))
    ones, threes = (draw("--num=6", "--seed=5", f"--label={label}") for label in (1, 3))
    assert_close(ways, np.concatenate([ones[:2], threes[2:4], ones[4:]]))
    assert len(draw("--interpolate=2")) == 2 * 8


def test_sums_count_pictures_as_the_grid_of_the_seed_shows_them(draw, trained, folder):
    """Groups with their means; then others on their way, or the place with its neighbours."""
    words = ("--num=8", "--seed=5", "--label=3")
    pictures, direction = draw(*words), draw(*words, "--arithmetic=1,4-7")
    place = draw(*words, "--arithmetic= 1,4 - 7 + 0 ")
    assert len(direction) == 3 + 2 + 5 * 9
    assert len(place) == 3 + 2 + 2 + 9
    assert_close(direction[[0, 1, 3]], pictures[[1, 4, 7]])
    assert_close(place[[0, 1, 3, 5]], pictures[[1, 4, 7, 0]])
    latents = randomness.latent(8, 4, 5, np.inf).numpy()
    mean, way = latents[[1, 4]].mean(axis=0), latents[[1, 4]].mean(axis=0) - latents[7]
    wanted = [mean, latents[0] - way, latents[0], latents[0] + way, latents[6] + way]
    wanted = np.array([2.0 * latent / np.linalg.norm(latent) for latent in wanted])  # sqrt(4)
    drawer = saved.load_saved_model(folder / trained["export_dir"])
    wanted = images.to_uint8(drawer.generate(wanted, np.full(5, 3))).astype(int)
    assert_close(direction[[2, 5, 9, 13, 49]], wanted)
    assert_close(place[[2, 11]], wanted[[0, 3]])  # 4 to the left of it, and 4 to the right
    assert_apart(direction[[5]], direction[[13]])


def test_sums_of_truncated_latents_are_as_short_as_they_are(draw, trained, folder):
    drawn = draw("--num=8", "--seed=5", "--label=3", "--truncation=0.1", "--arithmetic=1,4-7")
    short = randomness.latent(8, 4, 5, 0.1).numpy()
    mean, length = short[[1, 4]].mean(axis=0), np.linalg.norm(short, axis=1).mean()
    wanted = np.array([length * mean / np.linalg.norm(mean)])
    drawer = saved.load_saved_model(folder / trained["export_dir"])
    wanted = images.to_uint8(drawer.generate(wanted, np.full(1, 3))).astype(int)
    assert_close(drawn[[2]], wanted)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--label=0"], "^error: label='0' is no class of this model, which has 1, 3$"),
        (["--label=10"], "label='10' is no class of this model, which has 1, 3"),
        (["--label=" + "9" * 5000], "999' is no class of this model, which has 1, 3"),
        (["--label=zzz"], "label='zzz' is no class of this model, which has 1, 3$"),
        (["--label=al"], "label='al' is no class .*, which has 1, 3. Did you mean 'all'"),
        (["--label=1,3"], "label='1,3' is no class .*, which has 1, 3. Did you mean '3' or '1'"),
        (["--label="], "--label: '' is not the number or name of a class, or all"),
        (["--label=-1"], "--label: '-1' is not the number or name of a class, or all"),
        (["--label=all", "--num=50001"], "num=50001 of each of 2 classes are more than 100000"),
        (["--interpolate=3", "--label=0"], "label='0' is no class of this model"),
        (["--interpolate=1"], "--interpolate: '1' is not a whole number from 2"),
        (["--interpolate=50001", "--num=2"], "interpolate=50001: 2 rows .* more than 100000 pic"),
        (["--interpolate=2147483647"], "interpolate=2147483647: 8 rows of so many are more than"),
        (["--arithmetic=0-1"], "arithmetic='0-1' is of pictures of one class: give its label, as"),
        (["--arithmetic=0-1", "--label=all"], "arithmetic='0-1' is of pictures of one class"),
        (["--arithmetic=0-1", "--label=7"], "label='7' is no class of this model"),
        (["--arithmetic=0-1", "--label=3", "--num=100001"], "num=100001 latents are more than 100"),
        (["--arithmetic=0-64", "--label=3"], "no picture 64, they go from 0 to 63; --num makes m"),
        (["--arithmetic=0-1", "--label=3", "--num=2"], "num=2: '0-1' takes all of them, none is"),
        (["--arithmetic=0-" + "9" * 5000, "--label=3"], "must join numbers of pictures by . and -"),
        (["--arithmetic=smile", "--label=3"], "arithmetic='smile' must join numbers of pictures"),
        (["--arithmetic=0-1", "--interpolate=3"], "--interpolate and --arithmetic are two pict"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_cannot_be_drawn_is_told(words, says, main, trained):
    assert_refused(main("generate", MODEL, "--out=x.png", *words), says)


def test_names_of_classes_are_labels_too(main, draw, trained, folder):
    path = folder / trained["export_dir"] / "card.json"
    card = path.read_text()
    named = {**json.loads(card), "class_names": ["0", "three", "fish", "1"]}
    try:
        path.write_text(json.dumps(named))
        by_name = [draw("--num=2", f"--label={label}") for label in ("three", "1", "3")]
        refused = [main("generate", MODEL, "--out=x.png", f"--label={k}") for k in ("fish", "tree")]
        path.write_text(json.dumps({**named, "class_names": 5}))
        by_number = draw("--num=2", "--label=1")
    finally:
        path.write_text(card)
    np.testing.assert_array_equal(by_name[0], by_number)
    np.testing.assert_array_equal(by_name[1], by_name[2])  # a name goes before a number
    assert_apart(by_name[0], by_name[1])
    says = r"is no class of this model, which has 1, 3 \(three\)"
    assert_refused(refused[0], f"label='fish' {says}$")
    assert_refused(refused[1], f"label='tree' {says}. Did you mean 'three'")


# Judging.


def test_a_model_is_judged_by_real_pictures_of_its_classes(main, trained, monkeypatch):
    opened = []
    original = data.open_source
    monkeypatch.setattr(
        data, "open_source", lambda *a, **k: opened.append(original(*a, **k)) or opened[-1]
    )
    for where in (MODEL, f"--run={trained['run_dir']}"):
        code, out, err = main("evaluate", where, "--metrics=mode_coverage", "--json")
        assert code == 0, err
        result = json.loads(out)
        assert result["num"] == 200  # of a thousand held-out digits
        assert result["metrics"]["mode_coverage"]["n_real"] == 200
        accuracy = result["metrics"]["label_accuracy"]
        assert accuracy["name"] == "label_accuracy200_digits_cnn"
        assert 0 <= accuracy["value"] <= 1
    assert {source.classes for source in opened} == {(1, 3)}
    assert_refused(main("evaluate", MODEL, "--num=201"), "of 'digits' has only 200 pictures to co")


def test_classes_of_the_real_pictures_can_be_said(main, trained):
    words = ("--classes=1", "--metrics=mode_coverage", "--json")
    code, out, err = main("evaluate", MODEL, *words)
    assert code == 0, err
    result = json.loads(out)
    assert result["classes"] == [1]
    assert result["num"] == 100


def test_classes_that_the_features_do_not_tell_are_not_compared(main, trained, folder):
    labels = np.arange(40) % 2
    pixels = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
    np.savez(folder / "two.npz", images=pixels, labels=labels)
    words = ("--dataset=two.npz", "--split=train", "--metrics=mode_coverage", "--num=20", "--json")
    code, out, err = main("evaluate", MODEL, *words, "--features=digits_cnn")
    assert code == 0, err
    assert "label_accuracy" not in json.loads(out)["metrics"]


def test_each_way_of_a_report_is_of_one_class(trained, folder):
    subject = judging.open_subject({}, model=folder / trained["export_dir"])
    ways, steps = judging.INTERPOLATIONS, judging.INTERPOLATION_STEPS
    pictures = subject.generate(np.zeros((ways * steps, 4), np.float32))
    rows = pictures.reshape(ways, steps, -1)
    assert np.abs(np.diff(rows, axis=1)).max() < 1e-5
    assert np.abs(rows[0] - rows[1]).max() > 1e-3
    np.testing.assert_allclose(rows[0], rows[2], atol=1e-5)


# Without this package.

ALONE = """
import sys

import numpy as np
import tensorflow as tf

assert not any(name.partition(".")[0] == "tfgans" for name in sys.modules)
loaded = tf.saved_model.load(sys.argv[1])
drawn = {
    "each": loaded.sample(n=4, seed=0, label=[1, 3, 1, 3]),
    "ones": loaded.sample(n=4, seed=0, label=1),
    "threes": loaded.sample(n=4, seed=0, label=3),
    "default": loaded.sample(n=40, seed=9),
    "default_ones": loaded.sample(n=40, seed=9, label=1),
    "default_threes": loaded.sample(n=40, seed=9, label=3),
}
np.savez("drawn.npz", **{name: pictures["image"] for name, pictures in drawn.items()})
"""


def test_plain_tensorflow_draws_the_classes(trained, folder, run_python, tmp_path):
    """In a folder where `import tfgans` would fail, were it tried."""
    (tmp_path / "tfgans.py").write_text("raise ImportError")
    export_dir = folder / trained["export_dir"]
    done = run_python("-c", ALONE, export_dir)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "drawn.npz") as file:
        drawn = {name: file[name].astype(int) for name in file.files}
    here = saved.load_saved_model(export_dir)
    assert_close(drawn["each"], here.sample(4, 0, label=[1, 3, 1, 3]).astype(int))
    assert_close(drawn["each"][::2], drawn["ones"][::2])
    assert_close(drawn["each"][1::2], drawn["threes"][1::2])
    assert_apart(drawn["ones"], drawn["threes"])
    near = [
        np.abs(drawn["default"] - drawn[f"default_{one}"]).max(axis=(1, 2, 3)) <= 1
        for one in ("ones", "threes")
    ]
    assert (near[0] ^ near[1]).all()
    assert 8 < near[0].sum() < 32


# Words of the command line.


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("3", [3]),
        ("0-4", [0, 1, 2, 3, 4]),
        ("0-2,7", [0, 1, 2, 7]),
        ("7,0-2,1,7", [0, 1, 2, 7]),
        ("5-5", [5]),
        ("010", [10]),
        ("999999", [999999]),
    ],
)
def test_labels_are_read(text, labels):
    assert parsing.labels(text) == labels


@pytest.mark.parametrize(
    "text",
    ["", ",", "3,", "-1", "3-", "4-3", "0-4-7", "1.5", "1, 3", "all", "one", "0-99999999", "²"],
)
def test_what_is_no_labels_is_told(text, main, folder):
    says = rf"--classes: {re.escape(repr(text))} names no classes, as 3, 0-4 or 0-4,7 do"
    assert_refused(main("train", "--variant=cgan", f"--classes={text}"), says)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--classes=10"], "classes=10: 'digits' has the classes 0-9"),
        (["--classes=0-999999"], "classes=10-999999: 'digits' has the classes 0-9"),
        (["--classes=1", "--batch_size=401"], "batch_size=401 is larger than the data"),
        (["--dataset=bare.npz"], "cgan needs label of the data, which has only image; digits"),
        (["--dataset=bare.npz", "--classes=1"], "classes=1: 'bare.npz' has no labels"),
        (["--set", "discriminator.labels=told"], "NonSaturatingGAN wants one that does not tell"),
        (["--set", "discriminator.labels=yes"], "labels='yes' must be none, given or told"),
        (["--set", "discriminator.labels=true"], "labels=True must be of type str"),
        (["--set", "generator.label_dim=-1"], "units=-1 .*generator.label_dim=-1"),
        (["--variant=acgan", "--set", "discriminator.labels=none"], "ACGAN wants one that also"),
        (["--variant=acgan", "--set", "class_weight=x"], "class_weight='x' must be of type float"),
        (["--variant=sagan", "--set", "generator.attention=29"], "attention=29 fits no map: .* 14"),
        (
            ["--variant=sagan", "--image_size=8"],
            "attention=14 fits no map: .* side of one, 8, or 0",
        ),
        (
            ["--variant=sngan_projection", "--set", "generator.pyramid=2"],
            "pyramid=2 must be of ",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words_of_training_are_told_before_it(words, says, main, folder):
    np.savez(folder / "bare.npz", images=np.zeros((40, 8, 8), np.uint8))
    assert_refused(main("train", "--variant=cgan", "--batch_size=4", *words, "--dry_run"), says)


def test_a_discriminator_of_cgan_may_know_no_label(main, folder):
    """`none` is a word here, not the lack of one."""
    code, out, err = main(*TINY, "--set", "discriminator.labels=none", "--dry_run", "--json")
    assert code == 0, err
    assert json.loads(out)["options"]["discriminator.labels"] == "none"
