import concurrent.futures
import json
import re
import subprocess

import pytest

from tfgans import UsageError, runs

STORED = {
    "variant": "wgan_gp",
    "dataset": "digits",
    "image_size": [28, 28],
    "image_shape": [28, 28, 1],
    "num_classes": 10,
    "fit": "crop",
    "batch_size": 64,
    "precision": "float32",
    "jit": False,
    "steps": 100,
    "seed": 0,
    "checkpoint_every": 50,
    "export_dir": "saved_models/wgan_gp",
    "options": {"gp_weight": 10.0, "n_critic": 5},
    "environment": {"versions": {}},
}


def test_run_folders_are_numbered(tmp_path):
    root = tmp_path / "new" / "runs"
    names = [
        runs.make_run_dir(root, "wgan_gp", "digits").name,
        runs.make_run_dir(root, "gan", "tfds:mnist").name,
        runs.make_run_dir(root, "./my-gan.py", "/pictures/my cats/").name,
        runs.make_run_dir(root, "vae", "./digits.npz").name,
    ]
    assert names == [
        "0001-wgan_gp-digits",
        "0002-gan-tfds-mnist",
        "0003-my_gan-my-cats",
        "0004-vae-digits",
    ]


def test_numbers_go_on_after_the_highest(tmp_path):
    (tmp_path / "9999-gan-digits").mkdir()
    (tmp_path / "notes").mkdir()
    assert runs.make_run_dir(tmp_path, "gan", "digits").name == "10000-gan-digits"
    assert runs.make_run_dir(tmp_path, "gan", "digits").name == "10001-gan-digits"


def test_runs_that_start_together_get_different_numbers(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        made = list(
            pool.map(lambda n: runs.make_run_dir(tmp_path, f"gan{n % 3}", "digits"), range(64))
        )
    assert sorted(int(path.name[:4]) for path in made) == list(range(1, 65))
    assert all(path.is_dir() for path in made)
    assert not list(tmp_path.glob(".*"))


def test_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot make a run folder in '.*file/runs'"):
        runs.make_run_dir(tmp_path / "file" / "runs", "gan", "digits")
    with pytest.raises(UsageError, match=r"cannot use '.*file' as a run folder"):
        runs.open_run_dir(tmp_path / "file")


def test_used_run_folder_is_refused_unless_resumed(tmp_path):
    path = runs.open_run_dir(tmp_path / "deep" / "run")
    assert path.is_dir()
    (path / ".options.json.123").write_text("{")  # a run killed while it wrote its options
    assert runs.open_run_dir(path) == path
    runs.write_json(path / "options.json", STORED)
    with pytest.raises(UsageError, match="holds a run: add --resume to go on"):
        runs.open_run_dir(path)
    assert runs.open_run_dir(path, resume=True) == path


@pytest.mark.parametrize("resume", [False, True])
def test_folder_with_other_files_is_refused(tmp_path, resume):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="holds files but no run"):
        runs.open_run_dir(tmp_path, resume=resume)


def test_newest_run_is_the_variants_highest_with_options(tmp_path):
    def made(variant, dataset="digits", options=True):
        path = runs.make_run_dir(tmp_path, variant, dataset)
        if options:
            runs.write_json(path / "options.json", {**STORED, "variant": variant})
        return path

    assert runs.newest_run(tmp_path / "nowhere", "wgan") is None
    made("wgan")
    newest = made("wgan", "my-wgan_gp-data")
    other = made("wgan_gp")
    made("wgan", options=False)
    assert runs.newest_run(tmp_path, "wgan") == newest
    assert runs.newest_run(tmp_path, "wgan_gp") == other
    assert runs.newest_run(tmp_path, "gan") is None
    own = made("./wgan.py")
    assert runs.newest_run(tmp_path, "wgan") == newest
    assert runs.newest_run(tmp_path, "wgan.py") == own


def test_newest_run_counts_past_four_digits(tmp_path):
    for number in ("9999", "10000"):
        (tmp_path / f"{number}-gan-digits").mkdir()
        stored = {**STORED, "variant": "gan"}
        runs.write_json(tmp_path / f"{number}-gan-digits" / "options.json", stored)
    assert runs.newest_run(tmp_path, "gan").name == "10000-gan-digits"


def test_options_are_read_back_or_their_fault_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"holds no run: no options\.json"):
        runs.read_options(tmp_path)
    runs.write_json(tmp_path / "options.json", STORED)
    assert runs.read_options(tmp_path) == STORED
    (tmp_path / "options.json").write_text("{")
    with pytest.raises(UsageError, match="is damaged"):
        runs.read_options(tmp_path)


@pytest.mark.parametrize(
    ("stored", "lacks"),
    [
        ([], "'variant' of type str"),
        ({}, "'variant' of type str"),
        ({**STORED, "image_shape": None}, "'image_shape' of type list"),
        ({**STORED, "options": [1]}, "'options' of type dict"),
    ],
)
def test_options_that_no_run_has_are_damaged(tmp_path, stored, lacks):
    runs.write_json(tmp_path / "options.json", stored)
    with pytest.raises(UsageError, match=f"options.json' is damaged: it has no {lacks}$"):
        runs.read_options(tmp_path)


def test_resume_takes_what_is_not_given_from_the_run():
    expected = {key: value for key, value in STORED.items() if key != "environment"}
    assert runs.check_resume(STORED, {}) == expected
    assert list(runs.check_resume(STORED, {})) == list(expected)


def test_resume_may_change_what_the_weights_do_not_depend_on():
    given = {"steps": 200, "checkpoint_every": 10, "export_dir": "elsewhere"}
    merged = runs.check_resume(STORED, given)
    assert {key: merged[key] for key in given} == given


def test_resume_accepts_what_is_given_but_equal():
    given = {
        "variant": "wgan_gp",
        "image_size": (28, 28),
        "options": {"gp_weight": 10},
        "run_dir": "runs/0001",
        "resume": True,
    }
    assert runs.check_resume(STORED, given) == runs.check_resume(STORED, {})


def test_resume_names_every_option_that_differs_in_one_line():
    given = {"seed": 1, "dataset": "optdigits", "options": {"gp_weight": 5.0, "n_critic": 5}}
    with pytest.raises(UsageError) as caught:
        runs.check_resume(STORED, given)
    assert str(caught.value) == (
        "cannot resume with --seed=1 (the run has 0), --dataset=optdigits (the run has digits), "
        "--set gp_weight=5.0 (the run has 10.0): "
        "only --steps, --checkpoint_every, --export_dir, --strategy, --replicas, "
        "--eval_every, --eval_metrics, --eval_features, --stop_when, --on_collapse may change"
    )


def test_resume_refuses_steps_where_a_schedule_depends_on_them():
    with pytest.raises(UsageError, match=r"--steps=200 \(the run has 100\)"):
        runs.check_resume(STORED, {"steps": 200}, fixed=("steps",))


def test_json_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "card.json"
    runs.write_json(path, {"steps": 1, "where": tmp_path})
    assert json.loads(path.read_text()) == {"steps": 1, "where": str(tmp_path)}

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        runs.write_json(path, {"steps": 2})
    assert json.loads(path.read_text())["steps"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["card.json"]


def test_metrics_are_cut_back_to_a_step(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert runs.truncate_metrics(path, 10) is None
    assert not path.exists()
    rows = [{"step": step, "seconds": step / 2, "d_loss": 0.5} for step in (10, 20, 30)]
    killed = '{"step": 40, "sec'
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + killed)
    assert [row["step"] for row in runs.read_json_lines(path)] == [10, 20, 30]
    assert runs.truncate_metrics(path, 20) == {"step": 20, "seconds": 10.0, "d_loss": 0.5}
    assert [row["step"] for row in runs.read_json_lines(path)] == [10, 20]
    assert runs.truncate_metrics(path, 0) is None
    assert path.read_text() == ""


@pytest.mark.parametrize("damage", [b"\xff\xfe\n", b'{"seconds": 3}\n', b"5\n", b"[20]\n"])
def test_metrics_end_where_they_are_damaged(tmp_path, damage):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 10}\n' + damage + b'{"step": 20}\n')
    assert runs.read_json_lines(path) == [{"step": 10}]
    assert runs.truncate_metrics(path, 30) == {"step": 10}


def test_environment_goes_into_json(tmp_path):
    runs.write_options(tmp_path, {**STORED, "variant": "gan"})
    stored = runs.read_options(tmp_path)
    assert stored["variant"] == "gan"
    environment = stored["environment"]
    assert set(environment) == {"versions", "threads", "git_revision"}
    assert set(environment["versions"]) == {"python", "tensorflow", "keras", "numpy", "tfgans"}
    assert environment["versions"]["tensorflow"].startswith("2.")
    assert environment["threads"]["cores"] >= 1


def test_git_revision_is_that_of_the_code(repo, monkeypatch):
    command = ["git", "-C", str(repo), "rev-parse", "HEAD"]
    head = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    assert (runs.git_revision() or "").removesuffix("-dirty") == (head if len(head) == 40 else "")
    monkeypatch.setattr(runs, "__file__", str(repo.parent / "site-packages" / "tfgans" / "runs.py"))
    assert runs.git_revision() is None


def test_only_changed_code_makes_a_revision_dirty(monkeypatch, tmp_path):
    def git(*words):
        names = ["-c", "user.name=me", "-c", "user.email=me@here"]
        subprocess.run(["git", "-C", str(tmp_path), *names, *words], check=True)

    (tmp_path / "tfgans").mkdir()
    (tmp_path / "tfgans" / "runs.py").write_text("")
    (tmp_path / "result.json").write_text("")
    monkeypatch.setattr(runs, "__file__", str(tmp_path / "tfgans" / "runs.py"))
    git("init", "-q")
    assert runs.git_revision() is None
    git("add", ".")
    git("commit", "-q", "-m", "first")
    (tmp_path / "result.json").write_text("{}")
    assert re.fullmatch("[0-9a-f]{40}", runs.git_revision())
    (tmp_path / "tfgans" / "runs.py").write_text("x = 1")
    assert re.fullmatch("[0-9a-f]{40}-dirty", runs.git_revision())


def test_precision_holds_within_its_scope_only():
    import keras

    with runs.precision_scope("mixed_bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(RuntimeError), runs.precision_scope("mixed_float16"):
        raise RuntimeError
    assert keras.config.dtype_policy().name == "float32"


def test_module_needs_no_tensorflow(run_python):
    code = "import sys, tfgans.runs; print({'tensorflow', 'keras', 'numpy'} & set(sys.modules))"
    assert run_python("-c", code).stdout.strip() == "set()"
