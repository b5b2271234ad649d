"""Judges generated pictures: `python evaluate.py --model=saved_models/wgan_gp --dataset=digits`."""

import sys

from tfgans.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
