"""`python -m tfgans.playground`: what it prints and writes, and what it refuses."""

import json
import math
import re
import subprocess
import sys

import pytest
from PIL import Image

from tfgans.playground import GAMES, Outcome, __main__


def play(capsys, *words):
    """Returns exit code, stdout and stderr of the command in this process."""
    code = __main__.main(words)
    return (code, *capsys.readouterr())


def test_one_line_of_json_and_the_pictures(capsys, tmp_path):
    out = tmp_path / "pictures"
    code, printed, said = play(capsys, "bilinear", "--steps=120", "--json", f"--out={out}")
    assert (code, said) == (0, "")
    (line,) = printed.splitlines()
    told = json.loads(line)
    assert (told["game"], told["steps"]) == ("bilinear", 120)
    assert told["files"] == [str(out / "plot.png"), str(out / "animation.gif")]
    with Image.open(out / "plot.png") as plot, Image.open(out / "animation.gif") as animation:
        assert plot.size[0] > 800
        assert animation.n_frames == 60


def test_a_table_for_people(capsys, tmp_path):
    code, printed, _ = play(capsys, "bilinear", "--rate=0.5", "--steps=10", f"--out={tmp_path}")
    assert code == 0
    assert "simultaneous 1.11803" in printed  # the root of 1.25


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["paralel_lines"], "unknown game 'paralel_lines'. Did you mean 'parallel_lines'?"),
        (["bilinear", "--rat=1"], "unknown option '--rat'. Did you mean '--rate'"),
        (["bilinear", "--rate=much"], "argument --rate: 'much' is not a finite number"),
        (["bilinear", "--rate=2"], "rate=2.0 must lie between 0 and 1"),
        (["bilinear", "--steps=-1"], "argument --steps: "),
        (["--json", "ring"], "'--json' comes after the name of a game: bilinear, "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(capsys, tmp_path, words, message):
    code, printed, said = play(capsys, *words)
    assert (code, printed) == (2, "")
    assert said.startswith(f"error: {message}")
    assert len(said.splitlines()) == 1


def test_a_file_in_the_place_of_the_folder_is_left_alone(capsys, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        code, _, said = play(capsys, "bilinear", "--steps=10", f"--out={out}")
        assert code == 2
        assert f"error: --out='{out}': '{tmp_path / 'file'}' is not a folder" in said
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (
            Outcome({"factor": math.inf}, None),
            "error: bilinear came to numbers that are not finite",
        ),
        (MemoryError("Unable to allocate 3 TiB"), "error: out of memory: Unable to allocate 3 TiB"),
    ],
)
def test_what_cannot_be_told_or_held_is_said_in_one_line(
    capsys, monkeypatch, tmp_path, outcome, says
):
    def plays():
        if isinstance(outcome, MemoryError):
            raise outcome
        return outcome

    monkeypatch.setattr("tfgans.playground.bilinear.play", plays)
    monkeypatch.setattr(__main__, "_saved", lambda *_: [])
    code, printed, said = play(capsys, "bilinear", "--json", f"--out={tmp_path}")
    assert (code, printed) == (1, "")
    assert said.startswith(says)
    assert len(said.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_refused_before_the_game(capsys, monkeypatch):
    monkeypatch.setattr("tfgans.playground.bilinear.play", lambda: pytest.fail("played"))
    code, printed, said = play(capsys, "bilinear", "--out=/proc/playground")
    assert (code, printed) == (2, "")
    assert re.match("error: --out='/proc/playground' cannot be written: [A-Z]", said)


def test_help_needs_no_tensorflow():
    words = "import sys; sys.argv[1:] = ['--help']; from tfgans.playground import __main__ as m\n"
    words += "try: m.main()\nfinally: print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "False"
    for name in GAMES:
        assert name in done.stdout


def test_every_game_has_a_page_with_its_command(repo):
    for name in GAMES:
        page = (repo / "docs" / "playground" / f"{name}.md").read_text(encoding="utf-8")
        assert f"python -m tfgans.playground {name}" in page
        assert f"../results/playground/{name}" in page
