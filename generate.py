"""The command `tfgans generate` from a checkout; `python generate.py --help` lists its options."""

import sys

from tfgans.cli import main

if __name__ == "__main__":
    sys.exit(main(["generate", *sys.argv[1:]]))
