"""`python -m lcl_lab.train`, the same as `lcl train`."""

from lcl_lab.commands import train_program

__all__: list[str] = []

if __name__ == "__main__":
    train_program().main()
