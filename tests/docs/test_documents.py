"""What the documents say of the code is what the code says."""

import ast
import importlib
import json
import pathlib
import re
import sys

import pytest

from tfgans import data, evaluation, features, registry, saved
from tfgans.cli import parsing
from tfgans.evaluation import Reference, Sample
from tfgans.playground import GAMES

ROWS = registry.list_variants()


@pytest.fixture(name="zoo")
def _zoo(repo, monkeypatch):
    monkeypatch.syspath_prepend(str(repo / "tools"))
    sys.modules.pop("zoo", None)
    import zoo

    return zoo


def test_readme_holds_the_registry(repo, zoo):
    text = (repo / "README.md").read_text(encoding="utf-8")
    assert zoo.with_table(text, ROWS) == text


def test_readme_names_the_two_commands_before_anything_else(repo):
    text = (repo / "README.md").read_text(encoding="utf-8")
    order = ["![", "make train", "make test", "## What is in the zoo", "## Your own pictures"]
    order += ["tf.saved_model.load", "## A new system", "tensorboard --logdir"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_links_in_documents_lead_somewhere(repo):
    for document in [*repo.glob("*.md"), *repo.glob("docs/**/*.md")]:
        words = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", words):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_remedies_name_rows_and_options_that_exist(repo):
    """Each option must be one of the row named before it in the command, or else of some row."""
    text = (repo / "docs" / "stability.md").read_text(encoding="utf-8")
    tables = {row.name: registry.load(row.name).defaults() for row in ROWS}
    commands = re.findall(r"`(--[^`]+)`", text)
    assert len(commands) > 20
    for command in commands:
        row = re.search(r"--variant=(\w+)", command)
        assert row is None or row[1] in tables, command
        for key, value in re.findall(r"([a-z_.\d]+)=([^ ]+)", command.partition("--set ")[2]):
            known = [tables[row[1]]] if row else list(tables.values())
            takers = [table for table in known if key in table]
            assert takers, f"{command}: no row has {key}"
            assert type(parsing.value(value)) is type(takers[0][key]), command


def test_results_and_zoo_belong_to_the_registry(repo):
    names = {row.name for row in ROWS}
    for card in repo.glob("saved_models/zoo/*/card.json"):
        assert card.parent.name in names
        assert json.loads(card.read_text("utf-8"))["variant"] == card.parent.name
        size = sum(path.stat().st_size for path in card.parent.rglob("*") if path.is_file())
        assert size < 2e6


def test_no_document_bears_a_path_of_a_machine(repo):
    for path in [*repo.glob("docs/**/*.json"), *repo.glob("saved_models/zoo/*/card.json")]:
        assert not re.search(r"/(home|root|work|tmp|Users)/", path.read_text("utf-8")), path


def test_code_hash_sees_code_and_no_comments(zoo):
    def tree(text):
        return ast.dump(zoo._without_docstrings(ast.parse(text)))

    plain = "def f(a):\n    return a\n"
    assert tree(plain) == tree(
        '"""Words."""\n\ndef f(a):  # more\n    """Words."""\n    return a\n'
    )
    assert tree(plain) != tree("def f(a):\n    return a + 1\n")


def test_top_level_scripts_are_thin(repo):
    for name in ("train.py", "generate.py", "evaluate.py", "setup.py"):
        assert len(pathlib.Path(repo, name).read_text("utf-8").splitlines()) < 20


def test_shipped_generators_draw_what_their_cards_say(repo):
    models = sorted(path.parent for path in repo.glob("saved_models/zoo/*/card.json"))
    assert models
    for path in models:
        loaded = saved.load_saved_model(path)
        pictures = loaded.sample(3, seed=1)
        assert list(pictures.shape) == [3, *loaded.card["image_shape"]]
        assert (pictures == loaded.sample(3, seed=1)).all()
        assert loaded.card["metrics"]["fid"]["name"] == "fid1k_digits_cnn"


def test_the_card_s_figure_is_that_of_the_generator_that_is_shipped(repo):
    path = repo / "saved_models" / "zoo" / "wgan_gp"
    card = json.loads((path / "card.json").read_text("utf-8"))
    digits_cnn = features.open_features("digits_cnn")
    real = Sample.of(data.open_source("digits", split="test").images(), digits_cnn)
    fake = Sample.of(saved.load_saved_model(path).sample(1000, seed=0), digits_cnn)
    reference = Reference(real, real, real, "test", digits_cnn)
    done = evaluation.evaluate(fake, reference, names=("fid",), errors=False)
    # Another machine rounds a few pixels the other way.
    assert done.entries["fid"]["value"] == pytest.approx(card["metrics"]["fid"]["value"], rel=0.01)


def test_metrics_md_names_every_metric_and_feature_space(repo):
    text = (repo / "docs" / "metrics.md").read_text("utf-8")
    for name in (*evaluation.METRICS, "digits_cnn", "pixels", "inception", "one_nn_accuracy_train"):
        assert f"`{name}`" in text, name


@pytest.fixture
def bench(zoo, monkeypatch, tmp_path):
    """`make zoo` whose runs and judgements are only noted: what it did, and what it found."""
    done = []

    def trained(name, words, kept):
        done.append("train")
        return {"metrics": {}, "evaluation_sha256": zoo.evaluation_sha256()}

    def judged(path):
        done.append("judge")
        return {"metrics": {}, "evaluation_sha256": zoo.evaluation_sha256()}

    monkeypatch.setattr(zoo, "RESULTS", tmp_path)
    monkeypatch.setattr(zoo, "ZOO", tmp_path / "zoo")
    monkeypatch.setattr(zoo, "OTHERS", tmp_path / "seeds")
    monkeypatch.setattr(zoo, "train", trained)
    monkeypatch.setattr(zoo, "judge", judged)
    monkeypatch.setattr(zoo, "fingerprint", lambda words: "same")
    return done


@pytest.mark.parametrize(
    ("seed", "bfloat16", "beside", "place"),
    [
        (0, False, None, "zoo/gan"),
        (1, False, "other_seeds", "seeds/gan/other_seeds-1"),
        (0, True, "bfloat16", "seeds/gan/bfloat16-0"),
    ],
)
def test_a_row_is_trained_and_judged_only_where_it_must_be(
    zoo, bench, tmp_path, seed, bfloat16, beside, place
):
    row = registry.load("gan")

    def made(**changes):
        bench.clear()
        result = zoo.read("gan")
        part = result.get(beside, {}).get(str(seed), {}) if beside else result
        if part:
            part.update(changes)
            zoo.write("gan", result)
        zoo.make(row, seed, bfloat16)
        return list(bench)

    assert made() == ["train"]
    assert made() == []
    assert made(evaluation_sha256="old") == ["train"]  # there is no generator to judge
    (tmp_path / place).mkdir(parents=True)
    assert made(evaluation_sha256="old") == ["judge"]
    assert made(steps=1) == ["train"]
    assert made(fingerprint="same", code_sha256="old") == []
    assert made(fingerprint="other", code_sha256="old") == ["train"]
    assert made(fingerprint=None, code_sha256="old") == ["train"]


TABLES = dict.fromkeys(("five_ideas", "two_time_scales", "learning_rates", "growth"), "ideas.md")
TABLES |= {"truncation": "ideas.md", "collapse": "stability.md", "perceptrons": "stability.md"}
TABLES |= {"stacked": "playground/stacked.md"}


@pytest.fixture(name="tools")
def _tools(repo, monkeypatch):
    """Imports tools as they are, for this test alone."""
    monkeypatch.syspath_prepend(str(repo / "tools"))
    names = {*TABLES, "experiments", "mixtures", "games"}
    for name in names:
        sys.modules.pop(name, None)
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        sys.modules.pop(name, None)


def test_tables_are_what_the_tools_write_of_the_results(repo, tools):
    """So no figure has been written by hand, or outlived the run that it was of."""
    read = tools["experiments"].read
    wanted = [(TABLES[name], name, tools[name].table(read(name))) for name in TABLES if read(name)]
    for game, runs in read("mixtures").items():
        wanted.append((f"playground/{game}.md", "mixtures", tools["mixtures"].table(runs)))
    for game, runs in read("games").items():
        wanted.append((f"playground/{game}.md", "games", tools["games"].lines(game, runs)))
    for document, name, lines in wanted:
        text = (repo / "docs" / document).read_text("utf-8")
        block = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", text, re.DOTALL)
        assert block is not None, (document, name)
        assert block[1].splitlines() == lines, f"{document}: the table of {name}"
    assert {name for _, name, _ in wanted} >= {"five_ideas", "collapse", "mixtures", "games"}


def test_every_game_has_been_played_for_its_page(tools):
    assert set(tools["experiments"].read("games")) == set(GAMES)
    assert set(tools["games"].TABLES) == set(GAMES) - {"ring", "grid"}  # these have mixtures'


def test_each_picture_of_latents_stands_below_its_command(repo, monkeypatch):
    monkeypatch.syspath_prepend(str(repo / "tools"))
    import pictures

    page = (repo / "docs" / "latents.md").read_text("utf-8")
    shown = re.findall(r"^!\[\]\((.*)\)$", page, re.MULTILINE)
    made = []
    for words in pictures.commands():
        options = dict(word[2:].split("=", 1) for word in words[1:])
        assert (repo / options["model"] / "saved_model.pb").is_file()
        made.append(options["out"].removeprefix("docs/"))
    assert made == shown
    assert len(made) >= 6
