"""`python -m lcl_lab.models.convert_shikra`, the same as `lcl convert`."""

__all__: list[str] = []

if __name__ == "__main__":
    from lcl_lab.commands import convert_program

    convert_program().main()
