"""Trains rows of the zoo by their default options, and writes what came of it.

    make zoo [NAME=wgan_gp]      or      python tools/zoo.py [NAME ...]

For each row: the generator in saved_models/zoo/NAME, the figures in docs/results/NAME.json with a
picture beside them, and the table docs/ZOO.md. A row whose options and code are those of its
result is skipped; the hash of the code does not see comments and docstrings.
"""

import ast
import hashlib
import inspect
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

REPO = pathlib.Path(__file__).resolve().parent.parent
RESULTS = REPO / "docs" / "results"
ZOO = REPO / "saved_models" / "zoo"
MARKS = ("<!-- the registry, by tools/zoo.py -->", "<!-- end -->")
MEGABYTES = 2.0  # larger generators are not shipped

# What decides the weights of a run on the packaged digits.
CODE = ("adversarial", "base", "factory", "losses", "penalties", "randomness", "reconstruction")
CODE += tuple(f"data/{name}" for name in ("digits", "order", "pipeline", "rows", "source"))
CODE += tuple(f"layers/{name}" for name in ("spectral_normalization", "weight_clip"))
CODE += ("networks/sizes",)


def main(names):
    """Trains the rows that need it and writes the table."""
    from tfgans import registry

    rows = registry.list_variants()
    wanted = [registry.get(name).name for name in names] or [row.name for row in rows]
    for name in wanted:
        row = registry.load(name)
        code = code_sha256(row)
        if up_to_date(row, code):
            print(f"{name}: unchanged, skipped", file=sys.stderr)
        else:
            make(row, code)
    write_table(rows)
    write_readme(rows)


def code_sha256(row):
    """Hashes what decides the row's weights: the base, its class, its networks; no comments."""
    paths = [REPO / "tfgans" / f"{name}.py" for name in CODE]
    paths += sorted({inspect.getsourcefile(part) for part in (row.model, *row.networks.values())})
    digest = hashlib.sha256()
    for path in map(pathlib.Path, paths):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.parent.name == "models":  # the rows of the file are in the options
            tree.body = [node for node in tree.body if not isinstance(node, ast.Assign)]
        digest.update(ast.dump(_without_docstrings(tree)).encode())
    return digest.hexdigest()


def up_to_date(row, code):
    """Whether the committed result was made by this code with these options."""
    path = RESULTS / f"{row.name}.json"
    if not path.exists():
        return False
    result = json.loads(path.read_text(encoding="utf-8"))
    made_by = (result["options"], result["steps"], result["code_sha256"])
    return made_by == (row.resolve({}), row.steps, code)


def make(row, code):
    """Trains, judges and stores a row."""
    command = ["train.py", f"--variant={row.name}"]
    made_by = {"options": row.resolve({}), "steps": row.steps, "code_sha256": code}
    with tempfile.TemporaryDirectory() as scratch:
        where = [f"--run_dir={scratch}/run", f"--export_dir={scratch}/export", "--json"]
        done = subprocess.run(
            [sys.executable, *command, *where], cwd=REPO, stdout=subprocess.PIPE, text=True
        )
        result = {"command": " ".join(["python", *command]), "variant": row.name, **made_by}
        if done.returncode:
            result["failure"] = f"ended with exit code {done.returncode}"
        else:
            log = json.loads(done.stdout.splitlines()[-1])["metrics"]
            result |= {"log": log, **store(row.name, pathlib.Path(scratch, "export"))}
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=2) + "\n"
    (RESULTS / f"{row.name}.json").write_text(text, encoding="utf-8")
    print(f"{row.name}: {result.get('failure', result.get('metrics'))}", file=sys.stderr)


def store(name, exported):
    """Judges an exported generator, ships it if it is small, and returns what its card says."""
    import judge

    from tfgans import export, images

    card = json.loads((exported / "card.json").read_text(encoding="utf-8"))
    card["metrics"] = judge.judge_model(exported)
    (exported / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    RESULTS.mkdir(parents=True, exist_ok=True)
    sample = export.load_saved_model(exported).sample(64, seed=0)
    images.save_png(RESULTS / f"{name}.png", images.grid(sample))
    size = sum(path.stat().st_size for path in exported.rglob("*") if path.is_file()) / 1e6
    shutil.rmtree(ZOO / name, ignore_errors=True)
    if size < MEGABYTES:
        shutil.copytree(exported, ZOO / name)
    facts = {key: value for key, value in card.items() if key != "signatures"}
    return {**facts, "megabytes": round(size, 3), "shipped": size < MEGABYTES}


def write_table(rows):
    """Writes docs/ZOO.md from the results."""
    import judge

    lines = [
        "# The zoo, measured",
        "",
        "Written by `make zoo` from `docs/results/*.json`. Each row is one run of its default",
        "options, one seed, on the 4,000 training pictures of `digits`, judged in pixel space",
        "against the 1,000 held-out ones: 1-NN accuracy (0.5 is best, 1 is apart; of both, of",
        "real and of generated pictures alone) and MMD (0 is best), 1,000 against 1,000; then",
        "text 002's protocol, the mean over ten blocks of 100 + 100. Time is the run's own, on the",
        "threads that the result names.",
        "",
        "| variant | steps | time | 1-NN (real, fake) | MMD | 1-NN, 100 + 100 | MMD, 100 + 100 |",
        "|---|---|---|---|---|---|---|",
        _line("real pictures", "", "", judge.floor()),
    ]
    for row in rows:
        path = RESULTS / f"{row.name}.json"
        if path.exists():
            result = json.loads(path.read_text(encoding="utf-8"))
            link = f"[`{row.name}`](results/{row.name}.json)"
            if "failure" in result:
                lines.append(f"| {link} | {result['steps']} | {result['failure']} | | | | |")
                continue
            minutes = f"{result['wall_time_s'] / 60:.1f} min"
            lines.append(_line(link, result["steps"], minutes, result["metrics"]))
        else:
            lines.append(f"| `{row.name}` | not run yet | | | | | |")
    for row in rows:
        if (RESULTS / f"{row.name}.png").exists():
            lines += ["", f"## {row.name}", "", f"{row.paper}", "", f"![](results/{row.name}.png)"]
    (REPO / "docs" / "ZOO.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


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


def _line(name, steps, time, figures):
    one_nn, mmd = figures["one_nn"], figures["mmd"]
    slides = f"{figures['one_nn_slides']['value']:.3f} | {figures['mmd_slides']['value']:.3f}"
    accuracy = f"{one_nn['value']:.3f} ({one_nn['real']:.3f}, {one_nn['fake']:.3f})"
    return f"| {name} | {steps} | {time} | {accuracy} | {mmd['value']:.3f} | {slides} |"


def _without_docstrings(tree):
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


if __name__ == "__main__":
    main(sys.argv[1:])
