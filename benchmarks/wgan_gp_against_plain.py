"""Does `wgan_gp` beat a plain WGAN-GP in the same time? Three seeds of each, one after the other.

    python benchmarks/wgan_gp_against_plain.py      # about 40 minutes; writes docs/results/

Both are timed by their own `fit`, compilation included, on the same threads, in turn.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

REPO = pathlib.Path(__file__).resolve().parent.parent
OUT = REPO / "docs" / "results" / "wgan_gp_against_plain.json"
sys.path.insert(0, str(REPO / "tools"))
SEEDS = (0, 1, 2)


def main():
    import judge

    rows = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as scratch:
            pictures = f"{scratch}/plain.npz"
            call("benchmarks/plain_wgan_gp.py", f"--seed={seed}", f"--out={pictures}")
            plain = np.load(pictures)
            rows.append(row("plain", seed, float(plain["seconds"]), judge.judge(plain["images"])))
            where = [f"--run_dir={scratch}/run", f"--export_dir={scratch}/export"]
            call("train.py", "--variant=wgan_gp", f"--seed={seed}", *where)
            card = json.loads(pathlib.Path(scratch, "export", "card.json").read_text())
            figures = judge.judge_model(f"{scratch}/export")
            rows.append(row("wgan_gp", seed, card["wall_time_s"], figures))
        print(*(json.dumps(r) for r in rows[-2:]), sep="\n", file=sys.stderr)
    facts = {key: card[key] for key in ("versions", "threads")}
    result = {"command": "python benchmarks/wgan_gp_against_plain.py", **facts, "runs": rows}
    OUT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def row(name, seed, seconds, figures):
    return {"name": name, "seed": seed, "seconds": round(seconds, 1), "metrics": figures}


def call(*arguments):
    subprocess.run([sys.executable, *arguments], cwd=REPO, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
