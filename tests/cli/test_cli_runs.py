"""The commands on a real, tiny run: one is trained, and all tests of this file look at it."""

import contextlib
import io
import json
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from tfgans import cli

pytestmark = pytest.mark.xdist_group("cli_runs")

TINY = [
    "train",
    "--variant=wgan_gp",
    "--dataset=optdigits",
    "--batch_size=4",
    *("--set", "generator.width=4", "discriminator.width=4", "--set", "generator.latent_dim=3"),
    # With the row's schedules a resumed run may not change its length.
    *("--set", "g_optimizer.schedule=constant", "d_optimizer.schedule=constant"),
]

OWN_FILE = """
import dataclasses
from tfgans.models import wgan_gp

row = wgan_gp.VARIANTS[0]
VARIANTS = (dataclasses.replace(row, name="mine", options={**row.options, "gp_weight": 3.0}),)
"""


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
    """What `train --json` printed for a run of three steps."""
    code, out, err = main(*TINY, "--steps=3", "--json")
    assert code == 0, err
    assert out.count("\n") == 1, "stdout is for the one line"
    return json.loads(out)


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def assert_refused(answer, says):
    code, out, err = answer
    assert (code, out) == (2, ""), answer
    assert err.count("\n") == 1, err
    assert re.search(says, err), err


def test_result_names_what_was_written(trained, folder):
    keys = {"run_dir", "export_dir", "steps", "weights_sha256", "metrics", "failures"}
    assert set(trained) == keys
    assert trained["steps"] == 3
    assert re.fullmatch("[0-9a-f]{64}", trained["weights_sha256"])
    assert {"d_loss", "g_loss", "gradient_penalty"} <= set(trained["metrics"])
    assert trained["run_dir"] == "runs/0001-wgan_gp-optdigits"
    assert pathlib.Path(folder, trained["export_dir"]) == folder / "saved_models" / "wgan_gp"


def test_run_folder_and_card_say_how_it_came_about(trained, folder):
    run_dir = folder / trained["run_dir"]
    options = json.loads((run_dir / "options.json").read_text())
    assert options["steps"] == 3
    assert options["options"]["generator.width"] == 4
    assert options["environment"]["versions"]["keras"].startswith("3.")
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 3
    card = json.loads((folder / "saved_models" / "wgan_gp" / "card.json").read_text())
    assert card["weights_sha256"] == trained["weights_sha256"]


def test_dry_run_prints_the_options_and_writes_nothing(main, trained, folder):
    before = files_in(folder)
    code, out, _ = main(*TINY, "--dry_run", "--image_size=8x12", "--set", "gp_weight=5")
    assert code == 0
    plan = json.loads(out)
    assert plan["variant"] == "wgan_gp"
    assert plan["image_shape"] == [8, 12, 1]
    assert plan["options"]["gp_weight"] == 5.0
    assert plan["options"]["discriminator.width"] == 4
    assert (plan["seed"], plan["precision"], plan["checkpoint_every"]) == (0, "float32", 500)
    assert files_in(folder) == before


def test_finished_run_is_exported_again(main, trained, folder):
    code, out, _ = main("train", "--variant=wgan_gp", "--resume", "--export_dir=again", "--json")
    assert code == 0
    again = json.loads(out)
    assert again["run_dir"] == trained["run_dir"]
    assert again["weights_sha256"] == trained["weights_sha256"]
    assert (folder / "again" / "saved_model.pb").is_file()


def test_longer_run_ends_with_the_path_of_its_grid(main, trained, folder):
    run_dir = folder / "longer"
    assert main(*TINY, "--steps=2", "--run_dir=longer", "--export_dir=longer-export")[0] == 0
    code, out, _ = main("train", "--resume", "--run_dir=longer", "--steps=4")
    assert code == 0
    name, grid = out.splitlines()[-1].split()
    assert name == "samples"
    assert folder / grid == run_dir / "samples" / "step-000004.png"
    with Image.open(folder / grid) as picture:
        assert min(picture.size) > 100


def test_resuming_otherwise_is_refused_by_name(main, trained):
    resume = ("train", "--resume", f"--run_dir={trained['run_dir']}")
    assert_refused(main(*resume, "--seed=1"), r"--seed=1 \(the run has 0\)")
    assert_refused(main(*resume, "--set", "gp_weight=1"), r"--set gp_weight=1 \(the run has 10")
    assert_refused(main(*resume, "--variant=gan"), r"--variant=gan \(the run has wgan_gp\)")
    assert_refused(main(*resume, "--steps=1"), "at step 3 already")


def test_used_run_folder_is_refused(main, trained):
    answer = main(*TINY, "--steps=3", f"--run_dir={trained['run_dir']}")
    assert_refused(answer, "holds a run: add --resume")


def test_nothing_to_resume_is_told(main, trained):
    assert_refused(main("train", "--variant=gan", "--resume"), "no run of 'gan'")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--dataset=optdigts"], "'optdigts'. Did you mean 'optdigits'"),
        (["--dataset=no/folder"], "no/folder"),
        (["--set", "gp_weigth=1"], "no option 'gp_weigth'. Did you mean 'gp_weight'"),
        (["--set", "gp_weight=high"], "gp_weight='high' must be of type float"),
        (["--set", "n_critic=0"], "n_critic=0"),
        (["--set", "ema_decay=2"], "ema_decay=2"),
        (["--set", "generator.width=-1"], "generator.width=-1"),
        (["--run_dir=runs/0001-wgan_gp-optdigits"], "holds a run: add --resume"),
        (["--run_dir=saved_models"], "holds files but no run"),
        (["--export_dir=runs/0001-wgan_gp-optdigits/options.json"], "it is a file"),
        (["--export_dir=runs"], "will not replace 'runs': it holds '0001-wgan_gp-optdigits'"),
        (["--export_dir=new", "--run_dir=new"], "would replace the run in '.*new'"),
        (["--export_dir=new", "--run_dir=new/deep/run"], "would replace the run in '.*new/deep"),
        (["--export_dir=new/samples", "--run_dir=new"], "would replace the run in .*, or a part"),
        (["--export_dir=/proc/x"], "cannot export to '/proc/x'"),
        (["--run_dir=/proc/x"], "cannot use '/proc/x' as a run folder"),
        (["--set", "discriminator.packing=3"], "4 pictures at a time are no packs of 3"),
        (["--variant=mmd_gan", "--accumulate=4"], "of 1 picture have no pairs to compare"),
        (["--run_dir=a[1]"], r"a\[1\]'"),
        (["--export_dir=q\\"], "takes .* backslashes in a path for a pattern: rename it"),
        (["--run_dir=r\udcff"], "is not spelt in UTF-8: rename it"),
        (
            ["--set", "g_optimizer.beta_1=2"],
            "g_optimizer: beta_1=2.* must be at least 0 and below 1",
        ),
        (["--set", "d_optimizer.beta_2=1.0"], "d_optimizer: beta_2=1.0 must be at least 0 and"),
        (["--set", "g_optimizer.epsilon=-1"], "g_optimizer: epsilon=-1.* must be at least 0"),
        (["--init_from=nowhere"], "no run folder"),
        (["--batch_size=1500"], "batch_size=1500 is larger than the data: .* 1438"),
        (["--variant=./nowhere.py"], "no file 'nowhere.py'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("dry", [["--dry_run"], []], ids=["dry", "real"])
def test_what_does_not_fit_is_told_before_training(words, says, dry, main, trained, folder):
    before = files_in(folder)
    assert_refused(main(*TINY, *words, *dry), says)
    assert files_in(folder) == before


def test_own_file_is_trained_and_listed(main, folder):
    (folder / "my_gan.py").write_text(OWN_FILE)
    code, out, err = main(*TINY, "--variant=./my_gan.py", "--steps=1", "--json")
    assert code == 0, err
    assert json.loads(out)["run_dir"].endswith("-my_gan-optdigits")
    assert (folder / "saved_models" / "mine" / "card.json").is_file()
    rows = json.loads(main("list", "./my_gan.py", "--json")[1])
    assert next(row for row in rows if row["key"] == "gp_weight")["default"] == 3.0


def test_own_file_may_have_dataclasses_with_annotations_as_text(main, folder):
    words = "from __future__ import annotations\nimport dataclasses\n"
    words += "@dataclasses.dataclass\nclass Thing:\n    size: int = 1\n"
    (folder / "with_dataclass.py").write_text(words + OWN_FILE)
    code, _, err = main(*TINY, "--variant=./with_dataclass.py", "--dry_run")
    assert code == 0, err


def test_options_of_a_variant_have_defaults_and_meanings(main):
    code, out, _ = main("list", "wgan_gp", "--json")
    assert code == 0
    rows = json.loads(out)
    assert next(row for row in rows if row["key"] == "gp_weight")["default"] == 10.0
    assert all(row["meaning"] for row in rows), [row["key"] for row in rows if not row["meaning"]]
    table = main("list", "wgan_gp")[1].splitlines()
    assert len(table) == len(rows) + 1
    assert any(
        re.match(r"gp_weight +10\.0 +Weight of the gradient penalty", line) for line in table
    )


# Drawing from the export.


@pytest.fixture
def generate(main, trained):
    return lambda *words: main("generate", "--model=saved_models/wgan_gp", *words)


def test_pictures_are_the_same_in_each_form(generate, folder):
    assert generate("--num=5", "--seed=7", "--out=deep/all.npz")[:2] == (0, "deep/all.npz\n")
    assert generate("--num=5", "--seed=7", "--out_dir=each")[:2] == (0, "each\n")
    assert generate("--num=5", "--seed=7", "--out=grid.png")[:2] == (0, "grid.png\n")
    assert generate("--num=5", "--seed=7", "--out=A.PNG")[:2] == (0, "A.PNG\n")
    assert (folder / "A.PNG").read_bytes() == (folder / "grid.png").read_bytes()
    with np.load(folder / "deep" / "all.npz") as file:
        assert file.files == ["images"]
        images = file["images"]
    assert images.shape == (5, 8, 8, 1)
    assert images.dtype == np.uint8
    assert files_in(folder / "each") == [f"{k:05d}.png" for k in range(5)]
    assert files_in(folder / "deep") == ["all.npz"]
    code, _, err = generate("--num=3", "--out_dir=each")
    assert code == 2
    assert "--out_dir=each holds 00003.png of an earlier call" in err
    assert files_in(folder / "each") == [f"{k:05d}.png" for k in range(5)]
    (folder / "each" / "mine.png").write_bytes(b"")
    assert generate("--num=5", "--seed=7", "--out_dir=each")[0] == 0
    for index, image in enumerate(images):
        with Image.open(folder / "each" / f"{index:05d}.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture), image[..., 0])
    with Image.open(folder / "grid.png") as picture:
        assert min(picture.size) > 100


def test_seed_and_truncation_decide_the_pictures(generate, folder):
    def draw(*words):
        assert generate("--num=3", "--out=drawn.npz", *words)[0] == 0
        with np.load(folder / "drawn.npz") as file:
            return file["images"]

    np.testing.assert_array_equal(draw("--seed=1"), draw("--seed=1"))
    assert not np.array_equal(draw("--seed=1"), draw("--seed=2"))
    assert not np.array_equal(draw("--seed=1"), draw("--seed=1", "--truncation=0.01"))


def test_drawing_what_the_model_cannot_is_told(generate, main, trained):
    assert_refused(generate("--label=3", "--out=a.png"), "label=3: this model makes pictures with")
    answer = main("generate", "--model=saved_models", "--out=a.png")
    assert_refused(answer, "'saved_models' is not a SavedModel")
    answer = main("generate", f"--model={trained['run_dir']}", "--out=a.png")
    assert_refused(answer, "is a run, not a SavedModel: its export is '")


def test_a_process_of_its_own_says_only_what_matters(run_python, repo, tmp_path):
    done = run_python(repo / "train.py", *TINY[1:], "--steps=2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 2
    first, *progress = done.stderr.splitlines()
    assert first.startswith("Optical digits")
    assert progress
    assert all(line.startswith("step ") for line in progress), done.stderr
