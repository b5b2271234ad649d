"""Does `wgan_gp` beat a plain WGAN-GP in the same time? Three seeds of each.

    make zoo NAME=wgan_gp SEEDS="0 1 2"             # ours
    python benchmarks/wgan_gp_against_plain.py      # the plain one, for as long as ours took each

Writes docs/results/wgan_gp_against_plain.json. Both are timed by their own `fit`, compilation
included, one run at a time on the same threads. A plain run is kept as long as ours of that seed
is the same.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

from tfgans import judging, runs

REPO = pathlib.Path(__file__).resolve().parent.parent
RESULTS = REPO / "docs" / "results"
OUT = RESULTS / "wgan_gp_against_plain.json"
METRICS = ("fid", "one_nn_accuracy", "mmd")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    stored = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    kept = {(row["seed"], row["ours"]["weights_sha256"]): row for row in stored.get("seeds", [])}
    rows = []
    for seed, ours in our_runs().items():
        told = {key: ours[key] for key in ("command", "steps", "wall_time_s", "weights_sha256")}
        row = kept.get((seed, ours["weights_sha256"]))
        plain = row["plain"] if row else train_plain(seed, ours["wall_time_s"])
        rows.append({"seed": seed, "ours": {**told, "metrics": ours["metrics"]}, "plain": plain})
        result = {
            "command": "python benchmarks/wgan_gp_against_plain.py",
            **{key: runs.environment()[key] for key in ("versions", "threads")},
            "summary": summary(rows),
            "seeds": rows,
        }
        OUT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(summary(rows), indent=2))


def our_runs():
    result = json.loads((RESULTS / "wgan_gp.json").read_text(encoding="utf-8"))
    others = {int(seed): part for seed, part in result.get("other_seeds", {}).items()}
    return {result["seed"]: result, **others}


def train_plain(seed, seconds):
    command = ["benchmarks/plain_wgan_gp.py", f"--seed={seed}", f"--seconds={seconds}"]
    with tempfile.TemporaryDirectory() as scratch:
        out = f"{scratch}/plain.npz"
        options = [*command, "--steps=1000000", f"--out={out}"]
        subprocess.run([sys.executable, *options], cwd=REPO, check=True, stdout=subprocess.DEVNULL)
        made = np.load(out)
        found = judging.judge(npz=out, num=1000, metrics=METRICS)["metrics"]
    told = {"command": " ".join(["python", *command]), "steps": int(made["steps"])}
    return {**told, "wall_time_s": round(float(made["seconds"]), 1), "metrics": found}


def summary(rows):
    """Mean and standard deviation over the seeds, for both."""
    found = {}
    for key in ("one_nn_accuracy_pixels", "one_nn_accuracy", "mmd_pixels", "fid"):
        found[key] = {}
        for name in ("ours", "plain"):
            values = [row[name]["metrics"][key]["value"] for row in rows]
            spread = round(statistics.stdev(values), 4) if len(values) > 1 else None
            found[key][name] = {"mean": round(statistics.fmean(values), 4), "std": spread}
    return found


if __name__ == "__main__":
    main()
