"""The tools that make the tables of documents, with runs that are only noted."""

import json
import pathlib
import subprocess
import sys

import pytest

from tfgans import registry
from tfgans.playground import schemes

COMMON = ("experiments", "five_ideas", "two_time_scales", "learning_rates", "growth", "truncation")
COMMON += ("mixtures", "collapse", "perceptrons", "stacked", "games")
WITH_TABLES = ("ideas.md", "stability.md")
WITH_TABLES += tuple(f"playground/{game}.md" for game in ("ring", "grid", "stacked"))


@pytest.fixture
def tool(repo, monkeypatch, tmp_path):
    """Imports a tool whose runs take no time, and whose results and documents lie elsewhere."""
    monkeypatch.syspath_prepend(str(repo / "tools"))
    for name in COMMON:
        sys.modules.pop(name, None)
    import experiments

    words = []

    def run(given, scratch, *judging):
        words.append(given)
        if "failing" in given:
            return {"command": "c", "failure": "exit code 1: broken", "told": []}
        folder = pathlib.Path(scratch, "run")
        assert folder.exists() == ("--resume" in given), "a run that is there is to be gone on with"
        folder.mkdir(parents=True, exist_ok=True)
        steps = next((int(word[8:]) for word in given if word.startswith("--steps=")), 1000)
        slow = 3.0 if any("attention" in word for word in given) else 1.0
        figures = {"fid": {"value": 2.0}, "precision_recall": {"value": 0.7, "recall": 0.05}}
        figures["label_accuracy"] = {"value": 0.96}
        seconds = steps * slow * 0.01
        told = {"command": "c", "steps": steps, "seconds": seconds, "told": []}
        return {**told, "metrics": figures}

    for folder in ("results", "playground"):
        (tmp_path / "docs" / folder).mkdir(parents=True)
    for name in WITH_TABLES:
        text = (repo / "docs" / name).read_text("utf-8")
        (tmp_path / "docs" / name).write_text(text, "utf-8")
    monkeypatch.setattr(experiments, "RESULTS", tmp_path / "docs" / "results")
    monkeypatch.setattr(experiments, "REPO", tmp_path)
    monkeypatch.setattr(experiments, "run", run)

    def step_times(games, *_, **__):
        return {
            name: 60.0 if any("attention" in key for key in options) else 20.0
            for name, (_, options) in games.items()
        }

    monkeypatch.setattr(experiments, "step_times", step_times)

    def imported(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        __import__(name)
        module = sys.modules[name]
        module.main()
        return words, json.loads((tmp_path / f"docs/results/{name}.json").read_text("utf-8"))

    yield imported
    for name in COMMON:
        sys.modules.pop(name, None)


def test_five_ideas_go_on_to_the_time_of_the_last(tool, tmp_path):
    words, result = tool("five_ideas", "--seeds", "0", "1", "--steps=300")
    runs = result["digits"]["runs"]["0"]
    assert runs["+ self-attention"]["equal_time"]["steps"] == 300
    assert runs["+ classes"]["equal_time"]["steps"] == 900
    assert len(words) == 2 * (6 + 5)
    first, second = (given for given in words if "--variant=dcgan" in given and "--seed=0" in given)
    assert second == [*first[:-1], "--steps=900", "--resume"]  # to the same weights, in less time
    table = (tmp_path / "docs" / "ideas.md").read_text("utf-8")
    figures = "2.000 ± 0.000 | 0.050 ± 0.000 | 0.960 ± 0.000"
    assert f"| + classes | 20 | {figures} | 900 | {figures} |" in table
    words.clear()
    tool("five_ideas", "--seeds", "0", "1", "--steps=300")
    assert not words, "what is there is trained again"


def test_two_time_scales_take_equal_time(tool, tmp_path):
    words, result = tool("two_time_scales", "--seeds", "0", "--steps=400")
    assert [run["steps"] for run in result["runs"]["0"].values()] == [400, 400, 400]
    assert len(words) == 3
    assert "| two rates, 1e-4 and 3e-4 | 20 | 400 |" in (tmp_path / "docs/ideas.md").read_text()


def test_the_times_of_a_step_are_taken_in_turns(repo, monkeypatch):
    monkeypatch.syspath_prepend(str(repo / "tools"))
    import experiments

    tiny = {"generator.width": 4, "discriminator.width": 4}
    games = {
        "one": ("nsgan", tiny),
        "more": ("wgan_mlp", {"n_critic": 20, "discriminator.width": 512}),
    }
    times = experiments.step_times(games, "optdigits", batch_size=8, rounds=3, steps=5)
    assert times["more"] > 1.5 * times["one"] > 0


def test_learning_rates_are_multiplied_and_collapse_is_told(tool, tmp_path, monkeypatch):
    import learning_rates

    monkeypatch.setattr(learning_rates, "draw", lambda scratch, name: None)
    words, result = tool("learning_rates", "--steps=7")
    assert len(result) == 9
    rates = [word for given in words for word in given if "learning_rate" in word]
    assert "d_optimizer.learning_rate=0.0064" in rates  # sagan's 4e-4 times 16
    assert "g_optimizer.learning_rate=0.0002" in rates
    table = (tmp_path / "docs/ideas.md").read_text()
    assert "| `dcgan`, rates x 4 | collapsed | 2.000 | 0.700 | 0.050 |" in table


def test_a_learning_rate_spoils_what_the_papers_rates_do_better(tool):
    import learning_rates

    def run(fid):
        return {"metrics": {"fid": {"value": fid}, "precision_recall": {"value": 1, "recall": 0.5}}}

    result = {f"sngan x {times}": run(fid) for times, fid in ((1, 2.0), (4, 3.9), (16, 4.1))}
    ends = [line.split(" | ")[1] for line in learning_rates.table(result)[2:]]
    assert ends == ["trains", "trains", "spoiled"]


def test_growth_is_compared_at_equal_time_and_equal_images(tool, tmp_path, monkeypatch):
    import experiments
    import growth

    def read_log(scratch):
        # 8 pixels a side or less: 0.1 s a step for 120 steps of 10 images, above: 0.2 s
        steps = [10, 40, 80, 120, 160, 240]
        return [{"step": n, "seconds": 0.1 * n + 0.1 * max(0, n - 120)} for n in steps]

    monkeypatch.setattr(experiments, "read_log", read_log)
    monkeypatch.setattr(growth, "BATCH", 10)
    monkeypatch.setattr(growth, "draw", lambda scratch, name: None)
    words, result = tool("growth", "--image_size=16", "--phase_images=400")
    grown, probe, as_long, as_many = words
    assert "generator.start_size=0" in grown
    assert "--steps=320" in grown  # 2 * 2 phases of growing, 4 at the full size
    assert all("discriminator.start_size=16" in given for given in (probe, as_long))
    assert as_many == ["--variant=progan", "--resume", "--steps=320"]
    stages = result["grown"]["stages"]
    assert [stage["stage"] for stage in stages] == [
        *("4x4", "fading to 8x8", "8x8", "fading to 16x16", "16x16")
    ]
    assert [stage["images"] for stage in stages] == [400, 400, 400, 400, 1600]
    assert [stage["seconds"] for stage in stages[:4]] == [4.0, 4.0, 4.0, 8.0]
    assert result["full size, as many images"]["images"] == 3200
    text = (tmp_path / "docs/ideas.md").read_text()
    assert "| fading to 16x16 | 400 | 0.1 | 20.0 |" in text
    assert "| grown | 3,200 | 0.1 |" in text


def test_truncation_follows_the_thresholds(tool, repo, tmp_path, monkeypatch):
    import truncation

    monkeypatch.setattr(truncation, "PICTURES", 60)
    monkeypatch.setattr(truncation, "THRESHOLDS", (None, 0.5))
    model = repo / "saved_models" / "zoo" / "wgan_gp"
    _, result = tool("truncation", "--models", str(model))
    thresholds = result["wgan_gp"]["thresholds"]
    assert [one["threshold"] for one in thresholds] == [None, 0.5]
    assert thresholds[0]["recall"] > thresholds[1]["recall"]
    assert thresholds[0]["fid"] < thresholds[1]["fid"]
    assert "`wgan_gp`:" in (tmp_path / "docs/ideas.md").read_text()
    for name in ("truncation.png", "truncation_wgan_gp.png"):
        assert (tmp_path / "docs" / "results" / name).stat().st_size > 1000


def test_mixtures_are_played_by_each_scheme_and_seed(tool, tmp_path, monkeypatch):
    import experiments

    played = []

    def play(game, words):
        played.append([game, *words])
        if "--variant=gan" in words:
            return {"command": "c", "failure": "exit code 1: broken"}
        facts = {"of": 8, "high_quality": 0.97, "spread": 0.5, "kl": 0.01, "seconds": 9.0}
        facts["of_the_data"] = {"high_quality": 0.989, "spread": 0.97, "kl": 0.001}
        if "--seed=1" in words:
            facts |= {"spread": None, "kl": None}  # as where no point is near
        return {"command": "c", "modes": 7 if "--seed=1" in words else 8, **facts}

    monkeypatch.setattr(experiments, "play", play)
    tool("mixtures", "--seeds", "0", "1", "2", "--schemes", "gan", "r1gan")
    assert len(played) == 2 * 2 * 3
    text = (tmp_path / "docs/playground/ring.md").read_text("utf-8")
    figures = "7.7 ± 0.6 | 0.970 ± 0.000 | 0.50 ± 0.00 (1 without) | 0.0100 ± 0.0000 (1 without)"
    assert f"| r1gan | 3 | {figures} | 2 of 3 | 9 ± 0 |" in text
    assert "| gan | 3 |  (3 failed) |" in text
    assert "| the data |  | 8.0 | 0.989 | 0.97 | 0.0010 |  |  |" in text


def test_stacked_games_take_minutes(tool, tmp_path, monkeypatch):
    import experiments

    def play(game, words):
        steps = int(words[-1].partition("=")[2])
        told = {"kl": 0.1, "modes": 900, "modes_hit": 1000, "sure": 0.9}
        floors = {"real digits": {**told, "kl": 0.02}}
        return {"steps": steps, "seconds": 20.0 + 0.1 * steps, **told, "floors": floors}

    monkeypatch.setattr(experiments, "play", play)
    _, result = tool("stacked", "--minutes", "10", "--schemes", "r1gan")
    assert result["r1gan"]["0"]["seconds"] == pytest.approx(600)
    text = (tmp_path / "docs/playground/stacked.md").read_text("utf-8")
    assert "| r1gan | 5800 | 10 | 0.100 | 900 | 1000 | 0.90 |" in text
    assert "| real digits |  |  | 0.020 | 900 | 1000 | 0.90 |" in text


def test_games_that_are_named_are_played_and_failures_are_told(tool, tmp_path, monkeypatch):
    import experiments

    folders = []

    def play(game, words, folder=None):
        folders.append(folder)
        if game == "grid":
            return {"command": "c grid", "failure": "exit code 1: broken"}
        return {"command": "c", "seconds": 9.2, "cores": 2}

    monkeypatch.setattr(experiments, "play", play)
    _, result = tool("games", "ring", "grid")
    assert list(result) == ["ring", "grid"]
    assert folders == [tmp_path / "docs/results/playground" / game for game in result]
    assert "\nTook 9 s on 2 cores (" in (tmp_path / "docs/playground/ring.md").read_text("utf-8")
    grid = (tmp_path / "docs/playground/grid.md").read_text("utf-8")
    assert "\n`c grid`: exit code 1: broken\n" in grid


def test_the_watch_is_judged_by_what_runs_came_to(tool, tmp_path, monkeypatch):
    import collapse

    told = {"nsgan": [{"failure": "mode collapse", "step": 9}], "vae": []}
    figures = {"nsgan": 0.01, "vae": 0.7}

    def trained(game, seed):
        variant, *_ = collapse.GAMES[game]
        recall = {"precision_recall": {"recall": figures[variant]}}
        return {"metrics": recall, "told": told[variant] if seed == 0 else []}

    monkeypatch.setattr(collapse, "trained", trained)
    tool("collapse", "--games", "nsgan", "vae")
    text = (tmp_path / "docs/stability.md").read_text("utf-8")
    assert "| nsgan | 2000 | 0.01, 0.01, 0.01 | 1 of 3 | mode collapse |" in text
    assert "Of 3 runs that failed (recall below 0.05) 1 were told; of 3 that did not, 0." in text


def test_perceptrons_are_given_minutes(tool, tmp_path, monkeypatch):
    import experiments

    rows = [{"step": 100, "seconds": 5.0}, {"step": 500}, {"step": 1000, "seconds": 14.0}]
    monkeypatch.setattr(experiments, "read_log", lambda scratch: rows)
    words, result = tool("perceptrons", "--games", "wgan", "nsgan, packs of two")
    probe, run, *_ = words
    assert "--steps=1000" in probe
    assert "--steps=18000" in run  # of a hundredth of a second each, after a start
    assert pathlib.Path(run[0].partition("=")[2]).name == "wgan_mlp_on_perceptrons.py"
    assert "discriminator.packing=2" in words[-1]
    assert list(result) == ["wgan", "nsgan, packs of two"]
    text = (tmp_path / "docs/stability.md").read_text("utf-8")
    assert "| wgan | 18000 | 2.000 | 0.700 | 0.050 |" in text
    assert "| collapsed |" in text
    assert "| real digits |" in text


def test_schemes_on_perceptrons_differ_in_their_loss_alone(tool, tmp_path):
    import perceptrons

    for variant, options in perceptrons.GAMES.values():
        file = tmp_path / f"{variant}_on_perceptrons.py"
        file.write_text(perceptrons.file_of(variant), "utf-8")
        table = registry.load(str(file)).defaults()
        assert {word.partition("=")[0] for word in options} <= set(table)
        assert (table["generator.latent_dim"], table["ema_decay"]) == (64, 0.0)
        assert table["g_optimizer.learning_rate"] == (5e-5 if variant == "wgan_mlp" else 2e-4)
        assert ("g_optimizer.beta_1" in table) == (variant != "wgan_mlp")
        if variant in schemes.PAPERS:
            assert options == ["n_critic=5"]


@pytest.mark.parametrize("code", [2, 130, -9])
def test_what_is_killed_or_refused_is_no_failure_of_a_scheme(tool, code):
    import experiments

    done = subprocess.CompletedProcess(["python", "train.py"], code, "", "warning\nerror: words")
    with pytest.raises(RuntimeError, match=f"python train.py: exit code {code}: error: words"):
        experiments._failure(done)
    done.returncode = 1
    assert experiments._failure(done) == "exit code 1: error: words"


def test_failures_stay_in_the_table(tool):
    import experiments

    good = {"metrics": {"fid": {"value": 1.0}}}
    cells = experiments.figures([good, {"failure": "x"}], {"FID": ("fid", "value")})
    assert cells == ["1.000 (1 failed)"]
    assert experiments.spread([], 2) == ""
    with pytest.raises(ValueError, match="must hold <!-- none -->"):
        experiments.write_tables("ideas.md", {"none": []})
