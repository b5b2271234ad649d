"""`python -m tfgans` is the command `tfgans`."""

import sys

from tfgans.cli import main

if __name__ == "__main__":
    sys.exit(main())
