"""The section [backup]: where copies of the database go."""

from typing import Annotated

from pydantic import Field

from edge_fea.config.section import OptionalPath, Section, number


class BackupSettings(Section):
    """Copies of the database in a second place."""

    folder: Annotated[
        OptionalPath,
        Field(description="Folder that `edge-fea backup` writes to, on another disk; empty: none."),
    ] = None
    keep: Annotated[int, number(1, 1000, "Backups of this device kept there.")] = 7
