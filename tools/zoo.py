"""Trains rows of the zoo by their default options, judges them, and writes what came of it.

    make zoo [NAME=wgan_gp]      or      python tools/zoo.py [NAME ...] [--seeds 0 1 2] [--judge]

For each row: the generator in saved_models/zoo/NAME, the figures in docs/results/NAME.json with a
picture beside them, and the table docs/ZOO.md. A row whose options and code are those of its
result is not trained again, and one that is judged by today's metrics is not judged again. The
hashes of the code do not see comments and docstrings; where they differ, a run of three steps tells
whether weights and pictures do (`fingerprint`), and if not the result stands. With --judge nothing
is trained: what was made by older code is judged as it is. Generators of other seeds than 0 stay on
this machine, in saved_models/seeds/NAME/SEED; only their figures are committed.
"""

import argparse
import ast
import functools
import hashlib
import inspect
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import numpy as np

REPO = pathlib.Path(__file__).resolve().parent.parent
RESULTS = REPO / "docs" / "results"
ZOO = REPO / "saved_models" / "zoo"
OTHERS = REPO / "saved_models" / "seeds"
MARKS = ("<!-- the registry, by tools/zoo.py -->", "<!-- end -->")
MEGABYTES = 2.0  # larger generators are not shipped
SEED = 0  # the one whose generator is shipped
A_CLASS = 1000  # pictures of each class that a conditional row is asked for
REAL = "real"  # training pictures judged as if they were generated

# What decides the weights of a run on the packaged digits, and its samples.
CODE = ("adversarial", "base", "factory", "layer_states", "lookahead", "losses")
CODE += ("moments", "penalties", "randomness", "tricks")
CODE += tuple(f"data/{name}" for name in ("digits", "order", "pipeline", "rows", "source"))
CODE += tuple(f"layers/{path.stem}" for path in sorted(REPO.glob("tfgans/layers/[a-z]*.py")))
CODE += tuple(f"networks/{name}" for name in ("growing", "labels", "parts", "sizes"))
CODE += ("optimizers", "reconstruction", "replicas", "sampling")
_READERS = ("load", "_load_run")  # of factory.py: they read what was trained


def main():
    """Trains and judges the rows that need it and writes the table."""
    from tfgans import registry

    rows = registry.list_variants()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows; default all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[SEED], help="default 0")
    parser.add_argument("--bfloat16", action="store_true", help="--precision=mixed_bfloat16")
    parser.add_argument("--judge", action="store_true", help="train nothing; default off")
    given = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    judge_real()
    for name in [registry.get(name).name for name in given.names] or [row.name for row in rows]:
        for seed in given.seeds:
            make(registry.load(name), seed, given.bfloat16, given.judge)
    write_table(rows)
    write_readme(rows)


def make(row, seed, bfloat16=False, only_judge=False):
    """Trains and judges a row with a seed, as far as it is not done."""
    options = {"options": row.resolve({}), "steps": row.steps}
    words = words_of(row.name, seed, bfloat16)
    result = read(row.name)
    shipped = seed == SEED and not bfloat16
    beside = "bfloat16" if bfloat16 else "other_seeds"
    part = result if shipped else result.get(beside, {}).get(str(seed), {})
    made_by = {**options, "code_sha256": code_sha256(row)}
    stale = any(part.get(key) != value for key, value in made_by.items())
    made_by["fingerprint"] = part.get("fingerprint")
    if stale and not only_judge:
        made_by["fingerprint"] = fingerprint(words)
        same = {**options, "fingerprint": made_by["fingerprint"] or "none"}
        if all(part.get(key) == value for key, value in same.items()):
            print(f"{' '.join(words)}: other code, the same weights", file=sys.stderr)
            part, stale = {**part, **made_by}, False
    kept = ZOO / row.name if shipped else OTHERS / row.name / f"{beside}-{seed}"
    if judged(part) and (only_judge or not stale):
        print(f"{' '.join(words)}: not trained, not judged", file=sys.stderr)
    elif kept.exists() and "failure" not in part and (only_judge or not stale):
        part = {**part, **judge(kept)}
    elif only_judge:
        print(f"{' '.join(words)}: no generator here to judge", file=sys.stderr)
        return
    else:
        part = {**train(row.name, words, kept), **made_by}
    others = {key: result.pop(key) for key in ("other_seeds", "bfloat16") if key in result}
    if shipped:
        result = part
    else:
        others[beside] = dict(sorted({**others.get(beside, {}), str(seed): part}.items()))
    write(row.name, {**result, **others})


def words_of(name, seed, bfloat16):
    """Returns the options of train.py that make a row with a seed."""
    words = [f"--variant={name}", *([f"--seed={seed}"] if seed else [])]
    return [*words, *(["--precision=mixed_bfloat16"] if bfloat16 else [])]


def fingerprint(words):
    """Returns a hash of the weights after three steps of 16 pictures, and of pictures of theirs.

    None where such a run fails.
    """
    from tfgans import saved

    words = [*words, "--steps=3", "--batch_size=16"]
    with tempfile.TemporaryDirectory() as scratch:
        code, result = run(words, scratch)
        if code:
            return None
        pictures = saved.load_saved_model(f"{scratch}/export").sample(16, seed=0)
    return hashlib.sha256(result["weights_sha256"].encode() + pictures.tobytes()).hexdigest()


def run(words, scratch):
    """Runs train.py in a scratch folder, exporting to `export`; returns exit code and result."""
    where = [f"--run_dir={scratch}/run", f"--export_dir={scratch}/export", "--json"]
    command = [sys.executable, "train.py", *words, *where]
    done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, {} if done.returncode else json.loads(done.stdout.splitlines()[-1])


def train(name, words, kept):
    """Trains a row, keeps its generator in `kept`, and returns what its card says, judged."""
    told = {"command": " ".join(["python train.py", *words]), "variant": name}
    with tempfile.TemporaryDirectory() as scratch:
        code, result = run(words, scratch)
        if code:
            return {**told, "failure": f"ended with exit code {code}"}
        exported = pathlib.Path(scratch, "export")
        judged = judge(exported)
        card = json.loads((exported / "card.json").read_text(encoding="utf-8"))
        facts = {key: value for key, value in card.items() if key != "signatures"}
        size = keep(name, exported, kept)
    return {**told, "log": result["metrics"], **facts, **judged, **size}


def judged(result):
    """Whether a result's figures are by today's metrics."""
    return result.get("evaluation_sha256") == evaluation_sha256()


def judge(path):
    """Judges a SavedModel, which gets the figures in its card, and returns them."""
    from tfgans import judging, saved

    metrics = judging.judge(model=path)["metrics"]
    told = {"metrics": metrics, "evaluation_sha256": evaluation_sha256()}
    model = saved.load_saved_model(path)
    return {**told, "asked": asked(model)} if model.takes_label else told


def asked(model):
    """Returns how many of the pictures asked for are of their class, by the shipped classifier."""
    from tfgans import features

    extractor, shares = features.open_features("digits_cnn"), {}
    for label in model.classes:
        pictures = model.sample(A_CLASS, seed=label, label=label)
        shares[str(label)] = float((extractor(pictures).probabilities.argmax(1) == label).mean())
    told = {"value": statistics.mean(shares.values()), "worst": min(shares.values())}
    return {**told, "n_a_class": A_CLASS, "features": extractor.name, "by_class": shares}


def judge_real():
    """Judges training pictures as if they were generated: the best that can be expected."""
    from tfgans import data, judging

    if judged(read(REAL)):
        return
    with tempfile.TemporaryDirectory() as scratch:
        np.savez(f"{scratch}/{REAL}.npz", images=data.open_source("digits").images(1000))
        metrics = judging.judge(npz=f"{scratch}/{REAL}.npz", num=1000)["metrics"]
    told = {"command": "python tools/zoo.py", "metrics": metrics}
    write(REAL, {**told, "evaluation_sha256": evaluation_sha256()})


def keep(name, exported, kept):
    """Keeps a generator; the zoo's own if it is small, with a picture of its samples."""
    from tfgans import images, saved, walks

    size = sum(path.stat().st_size for path in exported.rglob("*") if path.is_file()) / 1e6
    shutil.rmtree(kept, ignore_errors=True)
    if kept.parent != ZOO:
        shutil.copytree(exported, kept)
        return {}
    if size < MEGABYTES:
        shutil.copytree(exported, kept)
    model = saved.load_saved_model(exported)
    rows = walks.sample(model, label=walks.ALL) if model.takes_label else [model.sample(64, seed=0)]
    sheet = images.grid_of_rows(rows) if model.takes_label else images.grid(rows[0])
    images.save_png(RESULTS / f"{name}.png", sheet)
    return {"megabytes": round(size, 3), "shipped": size < MEGABYTES}


def read(name):
    """Returns the committed result of a row, or an empty dict."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(name, result):
    """Writes the result of a row."""
    text = json.dumps(result, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    told = {key: entry["value"] for key, entry in result.get("metrics", {}).items()}
    print(f"{name}: {result.get('failure', told)}", file=sys.stderr)


# What a result was made by.


def code_sha256(row):
    """Hashes what decides the row's weights: the base, its class, its networks; no comments."""
    paths = [REPO / "tfgans" / f"{name}.py" for name in CODE]
    classes = [cls for cls in row.model.__mro__ if cls.__module__.startswith("tfgans.")]
    own = {inspect.getsourcefile(part) for part in (*classes, *row.networks.values())}
    return _sha256(sorted({*paths, *map(pathlib.Path, own)}))


@functools.cache  # of the code as it was when it was imported
def evaluation_sha256():
    """Hashes what decides the figures: metrics, features with their weights, and protocols."""
    package = REPO / "tfgans"
    paths = [package / "evaluation.py", package / "judging.py"]
    paths += sorted(package.glob("metrics/*.py"))
    paths += [package / "features" / name for name in ("extractor.py", "digits_cnn.keras")]
    return _sha256(paths)


def _sha256(paths):
    digest = hashlib.sha256()
    for path in paths:
        if path.suffix != ".py":
            digest.update(path.read_bytes())
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.parent.name == "models":  # the rows of the file are in the options
            tree.body = [node for node in tree.body if not isinstance(node, ast.Assign)]
        tree.body = [node for node in tree.body if not _is_beside(node)]
        digest.update(ast.dump(_without_docstrings(tree)).encode())
    return digest.hexdigest()


def _is_beside(node):
    """Whether a statement of a module has no part in the weights: imports, and what reads them."""
    return isinstance(node, ast.Import | ast.ImportFrom) or getattr(node, "name", "") in _READERS


def _without_docstrings(tree):
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


# The documents.

# Heading -> key and field of a result.
COLUMNS = {
    "FID": ("fid", "value"),
    "KID": ("kid", "value"),
    "precision": ("precision_recall", "value"),
    "recall": ("precision_recall", "recall"),
    "1-NN": ("one_nn_accuracy", "value"),
    "1-NN, pixels": ("one_nn_accuracy_pixels", "value"),
    "real": ("one_nn_accuracy_pixels", "real"),
    "fake": ("one_nn_accuracy_pixels", "fake"),
    "MMD, pixels": ("mmd_pixels", "value"),
    "1-NN, 100": ("one_nn_accuracy_slides", "value"),
    "MMD, 100": ("mmd_slides", "value"),
}
_WORDS = """# The zoo, measured

Written by `make zoo` from `docs/results/*.json`. Each row is one run of its default options, seed
0, on the 4,000 training pictures of `digits`, judged against the 1,000 held-out ones, 1,000 against
1,000: FID, KID, precision, recall and 1-NN accuracy in the features of `digits_cnn`; 1-NN accuracy
(of both, of real and of generated pictures alone) and MMD in pixels; then text 002's protocol, the
mean over ten blocks of 100 + 100 in pixels. For 1-NN accuracy 0.5 is best, 1 says that the sets are
apart; for FID, KID and MMD 0 is best. [metrics.md](metrics.md) says which to believe when; standard
errors, floors and all other figures are in the results. Time is the run's own, on the threads that
the result names; other work ran beside some of the runs, which makes it an upper bound.

Text 002's slides have, on blocks of a training batch of the full MNIST: GAN, 1-NN accuracy 0.684
(real 0.535, fake 0.832) and MMD 0.196; WGAN, 0.679 (0.541 and 0.817) and 0.108.
"""


def write_table(rows):
    """Writes docs/ZOO.md from the results."""
    head = ["variant", "steps", "minutes", *COLUMNS]
    lines = [_WORDS, _cells(head), "|---" * len(head) + "|"]
    lines.append(_cells(["real pictures", "", "", *_figures(read(REAL))]))
    results = {row.name: read(row.name) for row in rows}
    for name, result in results.items():
        link = f"[`{name}`](results/{name}.json)"
        if not result:
            lines.append(_cells([f"`{name}`", "not run yet", "", *[""] * len(COLUMNS)]))
        elif "failure" in result:
            lines.append(_cells([link, result["steps"], result["failure"], *[""] * len(COLUMNS)]))
        else:
            minutes = f"{result['wall_time_s'] / 60:.1f}"
            lines.append(_cells([link, result["steps"], minutes, *_figures(result)]))
    lines += _over_seeds(results) + _asked(results)
    for row in rows:
        if (RESULTS / f"{row.name}.png").exists():
            lines += ["", f"## {row.name}", "", row.paper, "", f"![](results/{row.name}.png)"]
    (REPO / "docs" / "ZOO.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _over_seeds(results):
    several = {}
    for name, result in results.items():
        if "other_seeds" in result:
            several[f"`{name}`"] = {str(SEED): result, **result["other_seeds"]}
        if "bfloat16" in result:
            several[f"`{name}`, mixed_bfloat16"] = result["bfloat16"]
    if not several:
        return []
    head = ["variant", "seeds", "minutes", *COLUMNS]
    lines = ["", "## Over seeds", "", "Mean ± standard deviation over the seeds.", ""]
    lines += [_cells(head), "|---" * len(head) + "|"]
    for name, parts in several.items():
        good = [part for part in parts.values() if "metrics" in part]
        minutes = _spread([part["wall_time_s"] / 60 for part in good], 1)
        cells = [
            _spread([part["metrics"][key][field] for part in good], 3)
            for key, field in COLUMNS.values()
        ]
        failed = f", {len(parts) - len(good)} failed" if len(good) < len(parts) else ""
        lines.append(_cells([name, f"{', '.join(parts)}{failed}", minutes, *cells]))
    return lines


def _asked(results):
    told = {name: result["asked"] for name, result in results.items() if "asked" in result}
    if not told:
        return []
    words = f"Share of {A_CLASS:,} pictures of each class that `digits_cnn` takes for that class."
    labels = list(next(iter(told.values()))["by_class"])
    head = ["variant", "all", "worst class", *labels]
    lines = ["", "## The class asked for", "", words, "", _cells(head), "|---" * len(head) + "|"]
    for name, entry in told.items():
        shares = [entry["value"], entry["worst"], *entry["by_class"].values()]
        lines.append(_cells([f"`{name}`", *(f"{share:.3f}" for share in shares)]))
    return lines


def _spread(values, digits):
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def _figures(result):
    entries = result.get("metrics", {})
    return [
        f"{entries[key][field]:.3f}" if key in entries else "" for key, field in COLUMNS.values()
    ]


def _cells(values):
    return f"| {' | '.join(map(str, values))} |"


def write_readme(rows):
    """Writes the registry into the table of the README."""
    path = REPO / "README.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(with_table(text, rows), encoding="utf-8")


def with_table(text, rows):
    """Returns the README with the registry between its two marks."""
    before, rest = text.split(MARKS[0])
    lines = ["| variant | in a sentence | paper |", "|---|---|---|"]
    for row in rows:
        path = f"tfgans/models/{row.module}.py"
        words = ast.get_docstring(ast.parse((REPO / path).read_text(encoding="utf-8")))
        lines.append(f"| [`{row.name}`]({path}) | {words.splitlines()[0]} | {row.paper} |")
    return f"{before}{MARKS[0]}\n" + "\n".join(lines) + f"\n{MARKS[1]}" + rest.split(MARKS[1])[1]


if __name__ == "__main__":
    main()
