"""``python -m prism`` is ``prism``."""

from prism.cli import main

main(prog_name="prism")
