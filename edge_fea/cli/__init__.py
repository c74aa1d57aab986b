"""The command line: each command is a few lines that call the wings."""

from edge_fea.cli.main import cli, main

__all__ = ["cli", "main"]
