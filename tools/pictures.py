"""Makes the pictures of docs/latents.md, each by the command that stands above it."""

import pathlib
import re
import shlex
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parent.parent
PAGE = REPO / "docs" / "latents.md"


def commands():
    """Returns the words of each command of the page after `python`."""
    lines = re.findall(r"^    python (generate\.py .*)$", PAGE.read_text(encoding="utf-8"), re.M)
    return [shlex.split(line) for line in lines]


def main():
    """Runs all commands in the checkout."""
    for words in commands():
        print(shlex.join(words), file=sys.stderr)
        subprocess.run([sys.executable, *words], cwd=REPO, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
