"""`python -m lcl_lab.zoo train|seeds|table`, the same as `lcl zoo`."""

import sys

from lcl_lab.commands import main

__all__: list[str] = []

if __name__ == "__main__":
    main(["zoo", *sys.argv[1:]])
