"""`python -m lcl_lab.neighbours`, the same as `lcl mine`."""

from lcl_lab.commands import mine_program

__all__: list[str] = []

if __name__ == "__main__":
    mine_program().main()
