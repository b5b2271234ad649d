"""Does `wgan_gp` beat a plain WGAN-GP in the same time? Three seeds of each.

    python benchmarks/wgan_gp_against_plain.py      # about an hour; writes docs/results/

Both are timed by their own `fit`, compilation included, one run at a time on the same threads.
Each run is written when it is done, and one that stands in the result is not run again: remove
docs/results/wgan_gp_against_plain.json to begin anew.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

REPO = pathlib.Path(__file__).resolve().parent.parent
OUT = REPO / "docs" / "results" / "wgan_gp_against_plain.json"
COMMAND = "python benchmarks/wgan_gp_against_plain.py"
sys.path.insert(0, str(REPO / "tools"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--names", nargs="+", default=list(RUNNERS), help="default both")
    options = parser.parse_args()
    for seed in options.seeds:
        for name in options.names:
            run_once(name, seed)


def run_once(name, seed):
    rows = json.loads(OUT.read_text(encoding="utf-8"))["runs"] if OUT.exists() else []
    if any((row["name"], row["seed"]) == (name, seed) for row in rows):
        return
    with tempfile.TemporaryDirectory() as scratch:
        command, seconds, metrics, facts = RUNNERS[name](seed, scratch)
    figures = {"name": name, "seed": seed, "command": command, "seconds": round(seconds, 1)}
    rows = sorted([*rows, {**figures, "metrics": metrics}], key=lambda r: (r["seed"], r["name"]))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"command": COMMAND, **facts, "runs": rows}, indent=2) + "\n")
    print(json.dumps(rows), file=sys.stderr)


def plain(seed, scratch):
    import judge

    command = ["benchmarks/plain_wgan_gp.py", f"--seed={seed}"]
    call(*command, f"--out={scratch}/plain.npz")
    made = np.load(f"{scratch}/plain.npz")
    return words(command), float(made["seconds"]), judge.judge(made["images"]), environment()


def ours(seed, scratch):
    import judge

    command = ["train.py", "--variant=wgan_gp", f"--seed={seed}"]
    call(*command, f"--run_dir={scratch}/run", f"--export_dir={scratch}/export")
    card = json.loads(pathlib.Path(scratch, "export", "card.json").read_text(encoding="utf-8"))
    figures = judge.judge_model(f"{scratch}/export")
    return words(command), card["wall_time_s"], figures, environment()


def environment():
    from tfgans import runs

    found = runs.environment()
    return {key: found[key] for key in ("versions", "threads")}


def words(command):
    return " ".join(["python", *command])


def call(*arguments):
    subprocess.run([sys.executable, *arguments], cwd=REPO, check=True, stdout=subprocess.DEVNULL)


RUNNERS = {"plain": plain, "wgan_gp": ours}

if __name__ == "__main__":
    main()
