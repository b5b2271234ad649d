"""`evaluate.py`: from paths to figures, cards and a page."""

import base64
import io
import json
import pathlib
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from tfgans import cli, data, evaluation, judging, runs

QUICK = ("--metrics=fid", "--num=100")


@pytest.fixture
def model(repo, tmp_path):
    """A copy of a shipped generator."""
    return shutil.copytree(repo / "saved_models" / "zoo" / "vae", tmp_path / "vae")


@pytest.fixture
def evaluate(capsys):
    """Runs the command; returns exit code, output and errors."""

    def run(*words):
        code = cli.main(["evaluate", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_model_is_judged_and_its_card_says_so(evaluate, model):
    before = json.loads((model / "card.json").read_text("utf-8"))
    code, out, _ = evaluate(f"--model={model}", *QUICK, "--json")
    result = json.loads(out)
    assert code == 0
    assert out.count("\n") == 1
    assert result["dataset"] == "digits"
    assert (result["num"], result["split"], result["features"]) == (100, "test", "digits_cnn")
    after = json.loads((model / "card.json").read_text("utf-8"))
    assert after["metrics"]["fid"] == result["metrics"]["fid"]
    assert result["metrics"]["fid"]["name"] == "fid100_digits_cnn"
    assert result["metrics"]["fid"]["seed"] == 0
    assert {key: after[key] for key in before if key != "metrics"} == {
        key: before[key] for key in before if key != "metrics"
    }
    again = json.loads(evaluate(f"--model={model}", *QUICK, "--json")[1])
    assert again == result
    other = json.loads(evaluate(f"--model={model}", *QUICK, "--json", "--seed=1")[1])
    assert other["metrics"]["fid"]["value"] != result["metrics"]["fid"]["value"]


def test_a_table_for_a_person(evaluate, model):
    code, out, _ = evaluate(f"--model={model}", *QUICK)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == [
        "figure",
        "value",
        "error",
        "real,",
        "real",
        "train,",
        "test",
        "more",
    ]
    assert lines[1].startswith("fid100_digits_cnn ")


def test_what_fails_is_told_in_one_line_and_the_rest_is_written(evaluate, model):
    code, out, err = evaluate(
        f"--model={model}",
        "--metrics=inception_score,kid",
        "--features=pixels",
        "--num=100",
        "--json",
    )
    assert code == 2
    assert "kid" in json.loads(out)["metrics"]
    assert "kid" in json.loads((model / "card.json").read_text("utf-8"))["metrics"]
    assert err.strip().splitlines()[-1].startswith("error: inception_score: these features")


def test_a_folder_and_an_npz_of_the_same_pictures(evaluate, tmp_path):
    pictures = data.open_source("digits").images(60)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, picture in enumerate(pictures):
        Image.fromarray(picture[..., 0]).save(folder / f"{index:03d}.png")
    np.savez(tmp_path / "pictures.npz", images=pictures)
    results = []
    for where in (f"--images={folder}", f"--npz={tmp_path / 'pictures.npz'}"):
        code, out, err = evaluate(where, "--num=60", "--metrics=kid", "--json")
        assert code == 0, err
        results.append(json.loads(out)["metrics"]["kid"]["value"])
    assert results[0] == pytest.approx(results[1], rel=1e-6)


def test_a_folder_that_is_called_as_a_data_set_is_the_folder(evaluate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("digits").mkdir()
    for index, picture in enumerate(data.open_source("digits").images(12)):
        Image.fromarray(picture[..., 0]).save(f"digits/{index}.png")
    code, out, err = evaluate("--images=digits", "--metrics=fid", "--json")
    assert code == 0, err
    assert json.loads(out)["num"] == 12


def test_a_run_is_judged(evaluate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--set", "generator.width=8", "discriminator.width=8"]
    run = ["--variant=nsgan", "--steps=2", "--batch_size=8", "--run_dir=run"]
    assert cli.main(["train", *run, "--export_dir=export", *options]) == 0
    code, out, err = evaluate("--run=run", "--num=50", "--metrics=fid", "--json")
    assert code == 0, err
    assert out.splitlines()[-1].startswith('{"run": "run"')
    stored = json.loads((tmp_path / "run" / runs.EVALUATION_FILE).read_text("utf-8"))
    assert stored["metrics"]["fid"]["name"] == "fid50_digits_cnn"


def test_a_conditional_model_is_asked_for_every_class(evaluate, save_labelled):
    for offset, wanted in ((0, 1.0), (1, 0.0)):
        folder = save_labelled(offset)
        code, out, err = evaluate(f"--model={folder}", "--num=40", "--metrics=fid", "--json")
        assert code == 0, err
        assert json.loads(out)["metrics"]["label_accuracy"]["value"] == wanted


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "say what to judge: one of --model, --run, --images, --npz"),
        (("--model=a", "--run=b"), "say what to judge"),
        (("--model=nowhere",), "'nowhere' is not a SavedModel"),
        (("--images=nowhere",), "images='nowhere': there is no such folder"),
        (("--npz=nowhere.npz",), "npz='nowhere.npz': there is no such file"),
        (("--npz=a.png",), "npz='a.png' must end in .npz"),
        (("--metrics=fdi", "--model=a"), "unknown metric 'fdi'. Did you mean 'fid'"),
        (("--model=a", "--split=all"), "'all' is not one of train, test"),
    ],
)
def test_wrong_words(evaluate, words, message):
    code, out, err = evaluate(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--dataset=nope",), "nope"),
        (("--features=nope",), "features='nope' is no known network"),
        (("--num=1001",), "num=1001: the test split of 'digits' has only 1000 pictures"),
        (("--data_dir=x",), "data_dir='x' is for tfds:NAME"),
        (("--image_size=14",), "image_size=14 is for bare pictures: a model makes its own size"),
    ],
)
def test_wrong_words_about_a_model(evaluate, model, words, message):
    code, out, err = evaluate(f"--model={model}", *words)
    assert (code, out) == (2, "")
    assert message in err


def test_pictures_that_cannot_be_compared_are_refused(evaluate, tmp_path):
    colour = tmp_path / "colour.npz"
    np.savez(colour, images=np.zeros((30, 28, 28, 3), np.uint8))
    code, _, err = evaluate(f"--npz={colour}")
    assert code == 2
    assert "the pictures have 3 channel(s), those of 'digits' 1" in err
    few = tmp_path / "few.npz"
    np.savez(few, images=np.zeros((30, 28, 28, 1), np.uint8))
    code, _, err = evaluate(f"--npz={few}", "--num=40")
    assert code == 2
    assert "holds 30 picture(s): too few" in err


def test_the_report_is_one_page_with_all_in_it(evaluate, model, tmp_path):
    code, _, err = evaluate(f"--model={model}", "--num=200", f"--report={tmp_path / 'report'}")
    assert code == 0, err
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert not re.search(r'(src|href)="(?!data:)', page), "it needs another file"
    for words in ("Figures", "Samples", "Nearest training pictures", "Interpolations", "Classes"):
        assert f"<h2>{words}</h2>" in page
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    sizes = [Image.open(io.BytesIO(base64.b64decode(code))).size for code in pictures]
    assert len(sizes) == 7
    assert min(min(size) for size in sizes) > 100
    assert "fid200_digits_cnn" in page
    stored = json.loads((tmp_path / "report" / runs.EVALUATION_FILE).read_text("utf-8"))
    assert stored["metrics"]["mmd_slides"]["name"] == "mmd100_pixels"


def test_files_that_cannot_be_read_are_told_and_the_rest_is_judged(evaluate, tmp_path):
    for index, picture in enumerate(data.open_source("digits").images(40)):
        Image.fromarray(picture[..., 0]).save(tmp_path / f"{index:03d}.png")
    (tmp_path / "bad.png").write_bytes(b"")
    code, out, err = evaluate(f"--images={tmp_path}", "--num=40", "--metrics=kid", "--json")
    assert code == 2
    assert "kid" in json.loads(out)["metrics"]
    assert "images: 1 file(s) could not be read, the first 'bad.png'" in err


def test_a_report_that_cannot_be_written_costs_no_figure(evaluate, model, tmp_path):
    (tmp_path / "file").write_text("")
    code, out, err = evaluate(f"--model={model}", *QUICK, "--json", f"--report={tmp_path / 'file'}")
    assert code == 2
    assert "fid" in json.loads(out)["metrics"]
    assert "fid" in json.loads((model / "card.json").read_text("utf-8"))["metrics"]
    assert "report: not written: File exists" in err


def test_other_metrics_of_a_run_are_added_to_those_there_are(evaluate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--set", "generator.width=8", "discriminator.width=8", "--fit=resize"]
    size = ["--dataset=digits", "--image_size=14"]
    run = ["--variant=nsgan", "--steps=2", "--batch_size=8", "--run_dir=run", *size]
    assert cli.main(["train", *run, "--export_dir=export", *options]) == 0
    opened = []
    original = data.open_source
    monkeypatch.setattr(data, "open_source", lambda *a, **k: opened.append(k) or original(*a, **k))
    for metric in ("kid", "mmd"):
        code, _, err = evaluate("--run=run", "--num=30", f"--metrics={metric}")
        assert code == 0, err
    stored = json.loads((tmp_path / "run" / runs.EVALUATION_FILE).read_text("utf-8"))
    assert {"kid", "mmd"} <= set(stored["metrics"])
    assert stored["step"] == 2
    assert stored["features"] == "pixels"
    assert {call["fit"] for call in opened} == {"resize"}
    assert {call["image_size"] for call in opened} == {(14, 14)}


@pytest.mark.parametrize("card", ['{"metrics": null, "dataset": 5, "options": null}', "{}"])
def test_odd_cards(evaluate, model, card):
    (model / "card.json").write_text(card)
    code, out, err = evaluate(f"--model={model}", *QUICK, "--json")
    assert code == 0, err
    assert json.loads(out)["dataset"] == "digits"


def test_a_conditional_model_without_classes_in_its_card_is_refused(evaluate, save_labelled):
    folder = save_labelled()
    (folder / "card.json").write_text("{}")
    code, _, err = evaluate(f"--model={folder}", "--num=40")
    assert code == 2
    assert "takes labels, but its card.json does not say which" in err


@pytest.mark.parametrize(
    ("dataset", "trained_on", "shares"), [("emoji", "emoji", True), ("emoji", "digits", False)]
)
def test_classes_are_asked_for_as_the_real_pictures_have_them(dataset, trained_on, shares):
    """Emoji has some groups of many pictures and some of few."""
    real = data.open_source(dataset, split="test")
    classes = range(real.spec.num_classes)

    def draw(n, seed, labels):
        asked = evaluation.labels_of(classes, n, labels)
        return np.zeros((n, *real.spec.image_shape), np.uint8), asked

    subject = judging.Subject("model", "somewhere", draw, facts={"dataset": trained_on})
    options = {"name": dataset, "data_dir": None, "fit": "crop", "classes": None}
    _, asked, _ = judging._pictures(subject, options, "test", 200, 0)
    wanted = np.sort(real.labels[:200]) if shares else np.sort(np.resize(classes, 200))
    np.testing.assert_array_equal(np.sort(asked), wanted)
