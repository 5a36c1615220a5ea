"""`python -m lcl_lab.sweep`, the same as `lcl sweep`."""

from lcl_lab.commands import sweep_program

__all__: list[str] = []

if __name__ == "__main__":
    sweep_program().main()
