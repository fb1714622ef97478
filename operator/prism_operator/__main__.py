"""``python -m prism_operator`` is ``prism-operator``."""

from prism_operator.cli import main

main()
