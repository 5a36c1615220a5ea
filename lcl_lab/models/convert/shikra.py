"""`python -m lcl_lab.models.convert.shikra SOURCE TARGET`: the command around `convert_shikra`."""

from __future__ import annotations

from lcl_lab.models import convert

__all__ = ["run"]


def run(config: convert.ConvertConfig) -> None:
    """Convert a checkpoint and print its folder."""
    print(convert.convert_shikra(config.source, config.target, config.vision_tower))


if __name__ == "__main__":
    from lcl_lab.commands.program import Program

    name = "python -m lcl_lab.models.convert.shikra"
    Program(name, convert.ConvertConfig, run, convert.ConvertConfig.__doc__ or "").main()
