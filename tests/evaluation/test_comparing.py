"""`tfgans compare`: runs that differ in their seed alone are one column, with mean and spread."""

import json

import numpy as np
import pytest
from PIL import Image

import tfgans
from tfgans import cli, comparing, runs

OPTIONS = {
    "variant": "wgan_gp",
    "dataset": "digits",
    "image_shape": [28, 28, 1],
    "num_classes": 10,
    "steps": 20,
    "batch_size": 8,
    "precision": "float32",
    "image_size": None,
    "fit": "crop",
    "export_dir": "export",
    "checkpoint_every": 500,
    "jit": False,
    "seed": 0,
    "options": {"gp_weight": 10.0, "n_critic": 1},
}


FID = "fid1k_digits_cnn digits/test abcdefgh"


@pytest.fixture
def make_run(tmp_path):
    """Makes a run folder with logs, and a figure where one is given."""

    def make(name, fid=None, slope=1.0, log="d_loss", split="test", **differing):
        path = tmp_path / name
        path.mkdir()
        (path / runs.OPTIONS_FILE).write_text(json.dumps({**OPTIONS, **differing}))
        rows = [
            {
                "step": s,
                "seconds": 3.0 * s,
                log: slope * s,
                **({"eval/fid": 9.0} if s == 20 else {}),
            }
            for s in (10, 20)
        ]
        (path / runs.METRICS_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
        if fid is not None:
            against = {"dataset": "digits", "split": split, "features_sha256": "abcdefgh9"}
            entry = {"fid": {"name": "fid1k_digits_cnn", "value": fid, **against}}
            (path / runs.EVALUATION_FILE).write_text(json.dumps({"metrics": entry}))
        return str(path)

    return make


@pytest.mark.parametrize("differing", [{"classes": [0, 1, 2]}, {"accumulate": 4}])
def test_runs_on_other_classes_or_in_other_pieces_are_no_seeds_of_one_group(make_run, differing):
    groups = comparing.compare([make_run("a", fid=2.0), make_run("b", fid=9.0, **differing)])
    assert [group["seeds"] for group in groups] == [[0], [0]]
    ((key, value),) = differing.items()
    assert {group["name"] for group in groups} == {"wgan_gp", f"wgan_gp {key}={value}"}


def test_figures_of_some_classes_are_others(make_run, tmp_path):
    paths = [make_run("a", fid=2.0), make_run("b", fid=4.0, seed=1)]
    judged = tmp_path / "b" / runs.EVALUATION_FILE
    result = json.loads(judged.read_text())
    result["metrics"]["fid"]["classes"] = [0, 4]
    judged.write_text(json.dumps(result))
    (group,) = comparing.compare(paths)
    assert set(group["figures"]) == {FID, "fid1k_digits_cnn digits/test of classes 0,4 abcdefgh"}


def test_seeds_are_one_group_and_other_options_another(make_run):
    weak = {"options": {"gp_weight": 1.0, "n_critic": 1}}
    paths = [
        make_run("a", fid=2.0),
        make_run("b", fid=4.0, seed=1),
        make_run("c", fid=7.0, **weak),
    ]
    first, second = comparing.compare(paths)
    assert first["name"] == "wgan_gp gp_weight=10.0"
    assert second["name"] == "wgan_gp gp_weight=1.0"
    assert first["seeds"] == [0, 1]
    assert first["figures"][FID] == {
        "mean": 3.0,
        "std": pytest.approx(2**0.5),
        "values": [2.0, 4.0],
    }
    assert second["figures"][FID]["std"] is None
    assert first["steps"] == [20, 20]
    assert first["minutes"] == 1.0


def test_the_command_prints_a_table_and_draws_a_plot(make_run, capsys, tmp_path):
    paths = [make_run("a", fid=2.0), make_run("b", seed=1), make_run("c", variant="gan", slope=2.0)]
    out = tmp_path / "compare.png"
    assert cli.main(["compare", *paths, f"--out={out}"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split() == ["wgan_gp", "gan"]
    assert said[1].split() == ["seeds", "0,", "1", "0"]
    assert said[3].split() == [*FID.split(), "2", "-"]
    with Image.open(out) as picture:
        assert picture.size[0] > 500
        colours = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 50
    assert cli.main(["compare", *paths, "--json"]) == 0
    assert [group["name"] for group in json.loads(capsys.readouterr().out)] == ["wgan_gp", "gan"]


def test_runs_without_figures_say_how_to_get_them(make_run, capsys):
    assert cli.main(["compare", make_run("a"), make_run("b", seed=1)]) == 0
    assert "tfgans evaluate --run=RUN" in capsys.readouterr().out


def test_what_cannot_be_compared_is_refused(make_run, capsys, tmp_path):
    one = make_run("a")
    other = make_run("b", log="g_loss")
    empty = make_run("c")
    (tmp_path / "c" / runs.METRICS_FILE).write_text("")
    (tmp_path / "b" / runs.METRICS_FILE).write_text('{"step": 1, "seconds": 1, "g_loss": 2}\n')
    for words, message in (
        ((one,), "two run folders or more"),
        ((one, one), "two run folders or more"),
        ((one, str(tmp_path)), str(tmp_path)),
        ((one, empty), "holds no metrics.jsonl yet"),
        ((one, other, f"--out={tmp_path / 'x.png'}"), "no log in common"),
        ((one, other, "--out=x.svg"), "--out=x.svg must end in .png"),
    ):
        assert cli.main(["compare", *words]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1


def test_figures_of_other_splits_are_not_averaged(make_run):
    (group,) = comparing.compare(
        [make_run("a", fid=1.0), make_run("b", fid=9.0, split="train", seed=1)]
    )
    assert [figure["values"] for figure in group["figures"].values()] == [[1.0], [9.0]]


def test_what_else_differs_makes_another_group(make_run):
    groups = comparing.compare([make_run("a"), make_run("b", fit="resize", seed=1)])
    assert [group["name"] for group in groups] == ["wgan_gp fit=crop", "wgan_gp fit=resize"]


def test_a_damaged_evaluation_is_told(make_run, tmp_path):
    paths = [make_run("a", fid=1.0), make_run("b", fid=2.0, seed=1)]
    for content in ("{", "[]", '{"metrics": {"fid": {"name": "x"}}}'):
        (tmp_path / "a" / runs.EVALUATION_FILE).write_text(content)
        with pytest.raises(tfgans.UsageError, match="is damaged: judge the run again"):
            comparing.compare(paths)
