"""The command `tfgans train` from a checkout; `python train.py --help` lists its options."""

import sys

from tfgans.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
