"""What a training leaves, what may change when it is resumed, and what is refused before it starts.

All in one process: a command's exit code is what `main` returns.
"""

import errno
import json
import pathlib
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from folders import tree
from PIL import Image

import tfgans
from tfgans import UsageError, callbacks, cli, training

pytestmark = pytest.mark.xdist_group("training")

STEPS = 20
TINY = ("--set", "generator.latent_dim=4", "generator.width=4", "discriminator.width=4")
WGAN_GP = ("--variant=wgan_gp", "--dataset=optdigits", "--batch_size=8", *TINY)
NSGAN = ("--variant=nsgan", "--dataset=optdigits", "--batch_size=8", *TINY)

MY_GAN = '''
"""A user's own system: logits are pulled to zero."""

import keras
import tensorflow as tf

from tfgans import losses
from tfgans.adversarial import AdversarialModel
from tfgans.networks import mlp
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("mine")
class MyGAN(AdversarialModel):
    """Adds a penalty on large logits.

    Args:
        drift_weight: Weight of the mean squared logit.
    """

    logs = ("d_loss", "g_loss", "drift")

    def __init__(self, generator, discriminator, *, drift_weight=0.1, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.drift_weight = drift_weight

    def train_step(self, batch):
        for part in self.critic_batches(batch):
            d_loss, drift = self.discriminator_step(part, losses.hinge_discriminator, self.drift)
        g_loss = self.generator_step(part, losses.hinge_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss, drift=drift)

    def drift(self, critic, real, fake):
        return self.drift_weight * tf.reduce_mean(tf.square(critic(real)))


VARIANTS = (
    Variant(
        name="my_gan",
        model=MyGAN,
        networks={"generator": mlp.generator, "discriminator": mlp.discriminator},
        optimizers={"g_optimizer": keras.optimizers.Adam, "d_optimizer": keras.optimizers.Adam},
        tiny={"generator.width": 8, "discriminator.width": 8},
        steps=10,
        batch_size=8,
    ),
)
'''


@pytest.fixture
def train(tmp_path, monkeypatch, capsys):
    """Trains in an empty folder: exit code, stdout, stderr. `ok` gives the JSON of the result."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = cli.main(["train", *map(str, words)])
        return code, *capsys.readouterr()

    def ok(*words):
        code, out, err = run(*words, "--json")
        assert code == 0, err
        assert out.count("\n") == 1
        return json.loads(out)

    run.ok = ok
    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 20 steps: its folder, and the result."""
    folder = tmp_path_factory.mktemp("finished")
    result = tfgans.train(
        "wgan_gp",
        dataset="optdigits",
        batch_size=8,
        options=dict(_setting(word) for word in TINY[1:]),
        steps=STEPS,
        checkpoint_every=8,
        run_dir=folder / "run",
        export_dir=folder / "export",
    )
    return folder, result


def _setting(word):
    key, _, value = word.partition("=")
    return key, int(value)


def refused(answer, says, code=2):
    """Checks that an answer is one line on stderr that matches `says`."""
    assert answer[0] == code, answer
    assert answer[1] == ""
    lines = [line for line in answer[2].splitlines() if not line.startswith("Optical")]
    assert re.fullmatch(f"error: {says}", lines[-1]), answer[2]
    if code == 2:
        assert len(lines) == 1, answer[2]


def rows_of(run_dir):
    """What `metrics.jsonl` holds."""
    text = (pathlib.Path(run_dir) / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def weights_of(export):
    """The weights in an export, as bytes."""
    return (export / "variables" / "variables.data-00000-of-00001").read_bytes()


# What is left.


def test_what_a_run_leaves(finished):
    folder, result = finished
    assert (result.run_dir, result.export_dir) == (folder / "run", folder / "export")
    names = {path.name for path in result.run_dir.iterdir()}
    left = {"options.json", "metrics.jsonl", "samples", "tensorboard", "checkpoints"}
    assert names == left | {".lock"}
    rows = rows_of(result.run_dir)
    assert [row["step"] for row in rows] == list(range(2, STEPS + 1, 2))
    assert set(rows[-1]) == {"step", "seconds", *result.model.all_logs}
    assert result.metrics == {name: rows[-1][name] for name in result.model.all_logs}
    options = json.loads((result.run_dir / "options.json").read_text())
    assert (options["variant"], options["steps"], options["batch_size"]) == ("wgan_gp", STEPS, 8)
    assert options["options"]["gp_weight"] == 10.0
    card = json.loads((result.export_dir / "card.json").read_text())
    assert card["weights_sha256"] == result.weights_sha256 == result.model.weights_sha256()


def test_a_run_folder_is_a_model_again(finished):
    _, result = finished
    loaded = tfgans.load(result.run_dir)
    assert loaded.weights_sha256() == result.weights_sha256
    assert np.array_equal(loaded.sample(3, seed=1), result.model.sample(3, seed=1))
    exported = tfgans.load(result.export_dir).sample(3, seed=1).astype(int)
    assert np.abs(exported - loaded.sample(3, seed=1)).max() <= 1


def test_two_equal_runs_are_equal_to_the_last_byte(finished, train, tmp_path):
    folder, result = finished
    again = train.ok(
        *WGAN_GP, f"--steps={STEPS}", "--checkpoint_every=3", "--export_dir=export", "--seed=0"
    )
    assert again["run_dir"] == "runs/0001-wgan_gp-optdigits"
    assert again["weights_sha256"] == result.weights_sha256
    assert weights_of(tmp_path / "export") == weights_of(folder / "export")
    other = train.ok(*WGAN_GP, "--steps=2", "--export_dir=other", "--seed=1")
    assert other["run_dir"] == "runs/0002-wgan_gp-optdigits"
    first = train.ok(*WGAN_GP, "--steps=2", "--export_dir=first")
    assert other["weights_sha256"] != first["weights_sha256"]


# Resuming.


def test_a_finished_run_exports_again(finished, train, tmp_path):
    _, result = finished
    before = tree(result.run_dir)
    again = train.ok("--resume", f"--run_dir={result.run_dir}", f"--export_dir={tmp_path / 'new'}")
    assert again["weights_sha256"] == result.weights_sha256
    assert again["metrics"] == result.metrics
    assert weights_of(tmp_path / "new") == weights_of(result.export_dir)
    changed = {path for path, hash in tree(result.run_dir).items() if before.get(path) != hash}
    assert changed <= {str(result.run_dir / "options.json")}


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_more_steps_are_as_if_asked_for_at_once(train, precision):
    options = (*NSGAN, f"--precision={precision}", "--set", "ema_decay=0.5")
    whole = train.ok(*options, "--steps=12", "--run_dir=whole", "--export_dir=a")
    train.ok(*options, "--steps=5", "--run_dir=part", "--export_dir=b")
    more = train.ok("--resume", "--run_dir=part", "--steps=12", "--checkpoint_every=2")
    assert more["steps"] == 12
    assert more["weights_sha256"] == whole["weights_sha256"]
    assert more["export_dir"] == "b"
    assert weights_of(pathlib.Path("a")) == weights_of(pathlib.Path("b"))


def test_other_options_are_refused_by_name(finished, train):
    folder, result = finished
    before = tree(folder)
    resume = ("--resume", f"--run_dir={result.run_dir}")
    for words, says in (
        (["--set", "gp_weight=5"], r".*--set gp_weight=5 \(the run has 10\.0\)"),
        (["--seed=1", "--batch_size=9"], r".*--seed=1 \(.* 0\), --batch_size=9 \(.* 8\)"),
        (["--dataset=digits"], r".*--dataset=digits \(the run has optdigits\)"),
        (["--precision=mixed_bfloat16"], r".*--precision=mixed_bfloat16 \(the run has float32\)"),
        (["--variant=nsgan"], r".*--variant=nsgan \(the run has wgan_gp\)"),
    ):
        allowed = ": only --checkpoint_every, --export_dir, --strategy, --replicas, --eval_every, "
        allowed += "--eval_metrics, --eval_features, --stop_when, --on_collapse may change"
        refused(train(*resume, *words), f"cannot resume with {says}{allowed}")
    assert tree(folder) == before


def test_fewer_steps_than_done_are_refused_and_change_nothing(train, tmp_path):
    train.ok(*NSGAN, "--steps=2", "--run_dir=run", "--export_dir=out")
    before = tree(tmp_path)
    answer = train("--resume", "--run_dir=run", "--steps=1")
    refused(answer, "steps=1: the run in 'run' is at step 2 already")
    assert tree(tmp_path) == before


def test_the_length_is_fixed_where_a_schedule_depends_on_it(finished, train):
    answer = train("--resume", f"--run_dir={finished[1].run_dir}", "--steps=40")
    refused(answer, rf"cannot resume with --steps=40 \(the run has {STEPS}\).*")


def test_the_length_is_fixed_where_a_weight_is_annealed_over_it(train):
    words = ["--variant=roth", "--dataset=optdigits", "--batch_size=4", "--set"]
    words += ["generator.width=4", "discriminator.width=4"]
    train.ok(*words, "--steps=2", "--run_dir=run", "--export_dir=out")
    refused(train("--resume", "--run_dir=run", "--steps=4"), "cannot resume with --steps=4 .*")
    noisy = [*words, "roth_weight=0", "instance_noise=0.5"]
    train.ok(*noisy, "--steps=2", "--run_dir=noisy", "--export_dir=out")
    refused(train("--resume", "--run_dir=noisy", "--steps=4"), "cannot resume with --steps=4 .*")
    constant = [*words, "roth_weight=0"]
    train.ok(*constant, "--steps=2", "--run_dir=constant", "--export_dir=out")
    train.ok("--resume", "--run_dir=constant", "--steps=3")


def test_a_used_run_folder_is_left_alone(finished, train):
    folder, result = finished
    before = tree(folder)
    refused(train(*WGAN_GP, f"--run_dir={result.run_dir}"), ".*holds a run: add --resume.*")
    refused(train(*WGAN_GP, f"--run_dir={result.export_dir}"), ".*holds files but no run.*")
    assert tree(folder) == before
    assert not pathlib.Path("runs").exists()


def test_the_newest_run_is_resumed_from_its_start_where_it_has_no_checkpoint(train):
    whole = train.ok(*NSGAN, "--steps=4", "--export_dir=out")
    train.ok(*NSGAN, "--steps=2", "--export_dir=out")
    newest = pathlib.Path("runs/0002-nsgan-optdigits")
    for path in (newest / "checkpoints").iterdir():
        path.unlink()
    again = train.ok("--variant=nsgan", "--resume", "--steps=4")
    assert again["run_dir"] == str(newest)
    assert again["weights_sha256"] == whole["weights_sha256"]
    assert [row["step"] for row in rows_of(newest)] == [1, 2, 3, 4]
    refused(train("--variant=gan", "--resume"), "no run of 'gan' to resume under 'runs'")


@pytest.mark.parametrize(
    "error", [NotImplementedError("no flock"), OSError(errno.ENOLCK, "No locks available")]
)
def test_a_disk_without_locks_is_told_and_trained_on(train, monkeypatch, error):
    def acquire(lock):
        raise error

    monkeypatch.setattr(training.filelock.FileLock, "acquire", acquire)
    code, _, told = train(*NSGAN, "--steps=1", "--run_dir=run", "--export_dir=out")
    assert code == 0, told
    assert f"'run' cannot be locked ({error}): train in it only once at a time" in told


@pytest.fixture
def damaged(finished, tmp_path):
    """A copy of the finished run, in `run`, to damage."""
    return shutil.copytree(finished[1].run_dir, tmp_path / "run")


def test_a_run_goes_on_without_its_newest_checkpoint(finished, damaged, train):
    _, result = finished
    (damaged / "checkpoints" / f"step-{STEPS}.index").write_bytes(b"")
    resume = ("--resume", "--run_dir=run", "--export_dir=out")
    refused(train(*resume), r"the checkpoint '.*step-20' is damaged.*: remove it \(.*\) to go on.*")
    for path in (damaged / "checkpoints").glob(f"step-{STEPS}.*"):
        path.unlink()
    (damaged / "samples" / "step-000002.png").write_bytes(b"")
    assert train.ok(*resume)["weights_sha256"] == result.weights_sha256


@pytest.mark.parametrize("options", ["[]", "{}", '{"variant": "wgan_gp"}', "", "\0"])
def test_damaged_options_are_told(damaged, train, options):
    (damaged / "options.json").write_text(options)
    refused(train("--resume", "--run_dir=run"), r"'run/options\.json' is damaged: .*")
    with pytest.raises(UsageError, match="is damaged"):
        tfgans.load("run")


def test_a_folder_in_place_of_the_log_is_told(damaged, train):
    (damaged / "metrics.jsonl").unlink()
    (damaged / "metrics.jsonl").mkdir()
    refused(train("--resume", "--run_dir=run", "--export_dir=out"), r"Is a dir.*: run/metrics\.j.*")


def test_data_that_has_changed_is_refused(train, tmp_path):
    def write(width, labels, number=40):
        pictures = np.zeros((number, 8, width), np.uint8)
        np.savez(tmp_path / "d.npz", images=pictures, **labels)

    write(8, {})
    train.ok("--variant=nsgan", "--dataset=d.npz", "--batch_size=8", *TINY, "--steps=2")
    before = tree(tmp_path / "runs")
    resume = ("--variant=nsgan", "--resume", "--steps=4")
    write(12, {})
    says = (
        r"the data of the run has changed: d\.npz has now image_shape \[8, 12, 1\], .* \[8, 8, 1\]"
    )
    refused(train(*resume), says)
    refused(train("--variant=nsgan", "--resume"), says)  # to export a finished run again
    write(8, {"labels": np.arange(40) % 3})
    refused(train(*resume), r".* num_classes 3, the run was started with 0")
    write(8, {}, number=50)
    refused(train(*resume), r".* num_images \d+, the run was started with \d+")
    assert tree(tmp_path / "runs") == before


def test_one_thing_in_two_spellings_is_one(train, tmp_path):
    (tmp_path / "my_gan.py").write_text(MY_GAN)
    size = ("--dataset=optdigits", "--image_size=10", "--steps=1")
    run = train.ok("--variant=./my_gan.py", *size)
    options = json.loads((tmp_path / run["run_dir"] / "options.json").read_text())
    assert (options["variant"], options["image_size"]) == ("my_gan.py", [10, 10])
    old = {**options, "variant": "./my_gan.py", "image_size": 10}  # as it was written once
    for stored in (options, old):
        (tmp_path / run["run_dir"] / "options.json").write_text(json.dumps(stored))
        more = train.ok("--variant=my_gan.py", "--resume", "--image_size=10x10")
        assert more["weights_sha256"] == run["weights_sha256"]
    refused(train("--variant=my_gan", "--resume"), "unknown variant 'my_gan'.*")
    (tmp_path / "nsgan.py").write_text(MY_GAN)
    train.ok("--variant=nsgan.py", *size)
    refused(train("--variant=nsgan", "--resume"), "no run of 'nsgan' to resume under 'runs'")


# Starting from another run, and from a user's file.


def test_starting_from_another_run(finished, train):
    _, result = finished
    still = ("--set", "g_optimizer.learning_rate=1e-30", "d_optimizer.learning_rate=1e-30")
    source = f"--init_from={result.run_dir}"
    run = train.ok(*WGAN_GP, *still, source, "--seed=5", "--steps=1", "--export_dir=out")
    model = tfgans.load(run["run_dir"])
    assert int(model.step) == 1
    for player in ("generator", "discriminator"):
        pairs = zip(
            getattr(model, player).trainable_variables,
            getattr(result.model, player).trainable_variables,
            strict=True,
        )
        assert all(np.array_equal(mine, theirs) for mine, theirs in pairs)
    moved = [
        np.array_equal(*pair)
        for pair in zip(model.average.weights, result.model.average.weights, strict=True)
    ]
    assert not all(moved)


def test_what_cannot_be_started_from_is_refused(finished, train, tmp_path):
    folder, result = finished
    for words, says in (
        ([*NSGAN, f"--init_from={result.run_dir}"], "init_from has another generator: .*"),
        ([*WGAN_GP, "generator.width=5", f"--init_from={result.run_dir}"], "init_from has.*"),
        (["--variant=vae", "--dataset=optdigits", f"--init_from={result.run_dir}"], ".*players.*"),
        ([*WGAN_GP, f"--init_from={result.export_dir}"], ".*init_from.*SavedModel.*"),
        ([*WGAN_GP, f"--init_from={folder / 'none'}"], ".*no run folder.*"),
    ):
        refused(train(*words, "--steps=1"), says)
        assert not list(tmp_path.rglob("*")), "something is left behind"


def test_a_users_own_file(train, tmp_path):
    (tmp_path / "my_gan.py").write_text(MY_GAN)
    options = ("--variant=./my_gan.py", "--dataset=optdigits", "--set", "generator.width=8")
    run = train.ok(*options, "drift_weight=0.5", "--steps=3")
    assert run["run_dir"] == "runs/0001-my_gan-optdigits"
    assert run["export_dir"] == "saved_models/my_gan"
    assert run["metrics"]["drift"] > 0
    more = train.ok("--variant=./my_gan.py", "--resume", "--steps=5")
    assert more["run_dir"] == run["run_dir"]
    whole = train.ok(*options, "drift_weight=0.5", "--steps=5", "--run_dir=whole")
    assert more["weights_sha256"] == whole["weights_sha256"]
    loaded = tfgans.load(run["run_dir"])
    assert loaded.drift_weight == 0.5
    loaded.save("mine.keras")
    assert tfgans.load("mine.keras").weights_sha256() == more["weights_sha256"]
    refused(train(*options, "drift_wait=0.5"), ".*no option 'drift_wait'.*'drift_weight'.*")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\ny = = 2\n", r", line 2: SyntaxError: invalid syntax"),
        ("\n\nx = y\n", r", line 3: NameError: name 'y' is not defined"),
        ("import nonsense_\n", r", line 1: ModuleNotFoundError: No module named 'nonsense_'"),
        ("def f():\n    return [][1]\nf()\n", r", line 2: IndexError: list index out of range"),
        ("import json\njson.loads('{')\n", r", line 2: JSONDecodeError: .*"),
        ("import sys\nsys.exit('bye')\n", r", line 2: SystemExit: bye"),
        (b"x = '\xff'\n", r".*: SyntaxError: .*utf-8.*"),
        ("", r" has no VARIANTS = .*"),
        ("VARIANTS = 5\n", r": VARIANTS is 5, it must be \(Variant\(\.\.\.\),\)"),
        ("VARIANTS = ('gan',)\n", r": VARIANTS is \('gan',\), it must be .*"),
        (
            MY_GAN + "\nNEEDS = 'label'\n",
            r': NEEDS is \'label\', it must be .*\("image", "label"\)',
        ),
        (MY_GAN + "\nNEEDS = 5\n", r": NEEDS is 5, .*"),
        (MY_GAN.replace("model=MyGAN", "model=keras.Model"), r": Model is no subclass of Gener.*"),
        (MY_GAN.replace("steps=10", "options={'wide': 3}"), r"my_gan: nothing takes the opt.*"),
    ],
    ids=range(14),
)
def test_faults_of_a_users_own_file_are_told_with_their_line(train, tmp_path, text, says):
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "mine.py").write_bytes(content)
    answer = train("--variant=./mine.py", "--dataset=optdigits", "--dry_run")
    refused(answer, says if says.startswith("my_gan") else f"mine.py{says}")


# Faults and refusals.


def test_a_loss_that_is_not_finite_ends_the_run(train):
    fast = ("--set", "d_optimizer.learning_rate=3e8")
    answer = train(*WGAN_GP, *fast, "--steps=40", "--checkpoint_every=1", "--run_dir=run")
    says = (
        r"step (\d+): [\w/]+ is -?(nan|inf); last good checkpoint: step (\d+), run/checkpoints/.*"
    )
    refused(answer, says, code=1)
    step, _, good = re.search(says, answer[2]).groups()
    assert int(good) == int(step) - 1
    model = tfgans.load("run")
    assert int(model.step) == int(good)
    assert all(np.isfinite(variable).all() for variable in model.state().values())


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
            "step 1: out of memory: a smaller batch_size, or accumulate=2 and more, needs less",
        ),
        (
            tf.errors.InvalidArgumentError(None, None, "{{node}} Iterator: UsageError: none left"),
            "step 1: none left",
        ),
    ],
)
def test_what_tensorflow_cannot_go_on_from_is_told_in_one_line(train, monkeypatch, error, says):
    def fails(self, batch, logs=None):
        raise error

    monkeypatch.setattr(callbacks.NonFinite, "on_train_batch_end", fails)
    refused(train(*WGAN_GP, "--steps=2", "--run_dir=run"), says, code=1)


NOTHING_SAVED = r"step 1: [\w/]+ is -?(nan|inf); no checkpoint was written yet\. Remedies: .+"


def test_a_run_that_breaks_at_once_has_no_checkpoint_to_name(train):
    fast = ("--set", "d_optimizer.learning_rate=1e38")
    answer = train(*WGAN_GP, *fast, "--steps=2", "--run_dir=run")
    refused(answer, NOTHING_SAVED, code=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"steps": -5}, "steps=-5 must lie between 1 and"),
        ({"steps": "3"}, "steps='3' must be an int"),
        ({"steps": 2.0}, "steps=2.0 must be an int"),
        ({"seed": -1}, "seed=-1 must lie between 0 and"),
        ({"checkpoint_every": 0}, "checkpoint_every=0 must lie"),
        ({"batch_size": 0}, "batch_size=0 must lie"),
        ({"options": ["gp_weight"]}, "options=.* must be of type Mapping"),
        ({"jit": "yes"}, "jit='yes' must be of type bool"),
        ({"dataset": 5}, "dataset=5 must be of type str"),
        ({"precision": "half"}, "precision='half' must be one of float32"),
        ({"variant": 5}, "variant=5 must be of type str"),
        ({"stepz": 5}, "train takes no stepz"),
    ],
)
def test_what_a_notebook_gives_is_checked(given, says, finished):
    given = {"variant": "nsgan", "dataset": "optdigits", **given}
    for resume in ({}, {"resume": True, "run_dir": finished[1].run_dir}):
        with pytest.raises(UsageError, match=f"^{says}"):
            tfgans.train(**given, **resume)


def test_more_pictures_in_a_batch_than_there_are(train, tmp_path):
    refused(
        train("--variant=nsgan", "--dataset=optdigits", "--batch_size=2000"),
        r"batch_size=2000 is (larger|more) than .*optdigits.* \d+ training pictures.*",
    )
    assert not list(tmp_path.iterdir())


def test_a_size_that_the_network_cannot_make(train, tmp_path):
    answer = train("--variant=dcgan", "--dataset=optdigits", "--image_size=18x27", *TINY)
    refused(answer, r".*cannot make pictures of 18x27.* use --image_size=\d+x\d+")
    refused(train("--variant=dcgan", "--dataset=optdigits", "--image_size=7"), ".*too small.*")
    assert not list(tmp_path.iterdir())
    fitting = re.search(r"--image_size=\S+", answer[2])[0]
    made = train.ok("--variant=dcgan", "--dataset=optdigits", fitting, *TINY, "--steps=1")
    height, width = map(int, fitting.partition("=")[2].split("x"))
    assert tfgans.load(made["export_dir"]).sample(1).shape == (1, height, width, 1)


def test_a_dry_run_writes_nothing(train, tmp_path):
    code, out, err = train(*WGAN_GP, "--dry_run", "--run_dir=run")
    assert code == 0, err
    plan = json.loads(out)
    assert plan["options"]["generator.width"] == 4
    assert plan["image_shape"] == [8, 8, 1]
    assert not list(tmp_path.iterdir())


def test_bad_pictures_are_listed_in_the_run_folder(train, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(40):
        pixels = np.full((10, 12, 3), number, np.uint8)
        Image.fromarray(pixels).save(photos / f"{number:02d}.png")
    (photos / "broken\n\té.png").write_bytes(b"not a picture")
    options = ("--variant=nsgan", "--dataset=photos", "--batch_size=8", *TINY, "--steps=1")
    run = train.ok(*options, "--export_dir=out")
    (line,) = (pathlib.Path(run["run_dir"]) / "bad_files.txt").read_text("utf-8").splitlines()
    assert line == "broken\\n\\té.png\tnot a picture that can be read"
    assert tfgans.load("out").sample(2).shape == (2, 10, 12, 3)
