"""`python -m lcl_lab.models.convert_shikra`: the converter's former address, which keeps working."""

from lcl_lab.cli import run_program
from lcl_lab.models.convert.shikra import main

__all__: list[str] = []

if __name__ == "__main__":
    run_program(main)
