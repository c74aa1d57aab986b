"""``python -m edge_fea`` is ``edge-fea``."""

from edge_fea.cli import main

main()
