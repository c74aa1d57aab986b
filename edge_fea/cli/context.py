"""What the global options say, for all commands.

Settings and store are imported when they are asked for: on a Pi, a session over SSH that waits for
its turn is to hold little memory.
"""

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edge_fea.config import Settings
    from edge_fea.config.layers import Loaded
    from edge_fea.store.audit import AuditTrail


@dataclass(frozen=True)
class Options:
    """The global options."""

    config_file: Path | None
    database: Path | None
    who: str = ""
    """Who asks, for the audit trail, where it is not the user who is logged in."""

    def load(self, overrides: Mapping[str, Any] | None = None) -> "Loaded":
        """The settings with ``overrides`` (dotted keys; None is none) and the options on top."""
        from edge_fea.config.layers import load

        return load(self.config_file, self.given(overrides))

    def given(self, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What stands on the command line, by dotted key: ``overrides`` and the options."""
        given = {key: value for key, value in (overrides or {}).items() if value is not None}
        if self.database is not None:
            given["store.database"] = self.database
        return given

    def settings(self, overrides: Mapping[str, Any] | None = None) -> "Settings":
        """The effective settings alone."""
        return self.load(overrides).settings

    def actor(self) -> str:
        """Who asks: a key's fingerprint over SSH, else the user of this process."""
        return self.who or f"user:{_login()}"

    def trail(self) -> "AuditTrail":
        """The audit trail beside the database."""
        from edge_fea.store.audit import AuditTrail

        store = self.settings().store
        return AuditTrail(store.audit, busy_timeout=store.busy_timeout_s)


def _login() -> str:
    # Everybody who uses sudo is root; the trail is to say who it was.
    if os.getuid() == 0 and (person := os.environ.get("SUDO_USER")):
        return f"{person} (sudo)"
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


pass_options = click.make_pass_decorator(Options)
