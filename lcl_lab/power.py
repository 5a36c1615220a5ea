"""`python -m lcl_lab.power`, the same as `lcl power`."""

from lcl_lab.commands import power_program

__all__: list[str] = []

if __name__ == "__main__":
    power_program().main()
