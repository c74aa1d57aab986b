"""What the global options say, for all commands."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edge_fea.config import Settings
from edge_fea.config.layers import Loaded, load


@dataclass(frozen=True)
class Options:
    """The global options."""

    config_file: Path | None
    database: Path | None

    def load(self, overrides: Mapping[str, Any] | None = None) -> Loaded:
        """The settings with ``overrides`` (dotted keys; None is none) and the options on top."""
        given = {key: value for key, value in (overrides or {}).items() if value is not None}
        if self.database is not None:
            given["store.database"] = self.database
        return load(self.config_file, given)

    def settings(self, overrides: Mapping[str, Any] | None = None) -> Settings:
        """The effective settings alone."""
        return self.load(overrides).settings


pass_options = click.make_pass_decorator(Options)
