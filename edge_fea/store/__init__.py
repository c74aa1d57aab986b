"""SQLite: schema, migrations, integrity."""

import sys

# sqlite-utils imports pandas where there is one, to take data frames, which nothing here gives it:
# half a second of each command, and 70 MB. Nobody else is kept from it.
_without = "pandas" not in sys.modules and "sqlite_utils" not in sys.modules
if _without:
    sys.modules["pandas"] = None  # type: ignore[assignment]
try:
    import sqlite_utils
finally:
    if _without:
        del sys.modules["pandas"]

__all__ = ["sqlite_utils"]
