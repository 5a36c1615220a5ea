"""`python -m lcl_lab.models.convert_shikra`: the former address of `lcl_lab.models.convert.shikra`."""

from lcl_lab.models import convert
from lcl_lab.models.convert.shikra import run

__all__: list[str] = []

if __name__ == "__main__":
    from lcl_lab.commands.program import Program

    name = "python -m lcl_lab.models.convert_shikra"
    Program(name, convert.ConvertConfig, run, convert.ConvertConfig.__doc__ or "").main()
