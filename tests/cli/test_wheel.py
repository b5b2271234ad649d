"""The package installed from its wheel, with no checkout near, does what the checkout does."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def installed(repo, tmp_path_factory):
    """Folder with what the wheel holds."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        repo / "tfgans", source / "tfgans", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in SOURCES:
        shutil.copy(repo / name, source / name)
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("tfgans_zoo-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def run(installed, run_python, tmp_path):
    """Runs `tfgans` from the wheel in an empty folder; returns its output."""

    def tfgans(*words):
        code = "import tfgans; print(tfgans.__file__)"
        environment = {**os.environ, "PYTHONPATH": str(installed)}
        where = run_python("-c", code, env=environment).stdout.strip()
        assert pathlib.Path(where).is_relative_to(installed)
        done = run_python("-m", "tfgans", *words, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return tfgans


def test_the_wheel_holds_the_package_and_nothing_else(installed, repo):
    held = {path.name for path in installed.iterdir()}
    assert "tfgans" in held
    assert all(name == "tfgans" or name.endswith(".dist-info") for name in held)
    there = {
        path.relative_to(repo / "tfgans").as_posix()
        for path in (repo / "tfgans").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    in_wheel = {
        path.relative_to(installed / "tfgans").as_posix()
        for path in (installed / "tfgans").rglob("*")
        if path.is_file()
    }
    assert in_wheel == there


def test_commands_from_the_wheel(run, tmp_path):
    assert "wgan_gp" in run("list")
    small = ["--set", "generator.width=8", "discriminator.width=8"]
    result = json.loads(
        run("train", "--variant=gan", "--steps=3", "--batch_size=8", "--json", *small)
    )
    assert result["export_dir"] == "saved_models/gan"
    run("generate", f"--model={result['export_dir']}", "--num=4", "--out=grid.png")
    assert (tmp_path / "grid.png").is_file()
    judged = json.loads(
        run("evaluate", f"--run={result['run_dir']}", "--num=50", "--metrics=fid", "--json")
    )
    assert judged["metrics"]["fid"]["name"] == "fid50_digits_cnn"
