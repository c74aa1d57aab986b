"""What the user who runs the service may open, whoever asks: told by owner, group and mode.

Not by trying: root may open anything, and the weekly self-check has a sandbox of its own.
"""

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from edge_fea.device.doctor.findings import UNIT, Case
from edge_fea.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Account:
    """A user, and all groups that are lent to it."""

    name: str
    uid: int
    gids: frozenset[int]

    def may_write(self, path: Path) -> bool:
        """Whether it may read and write ``path``. Raises OSError where there is none."""
        found = path.stat()
        if self.uid == 0:
            return True
        if found.st_uid == self.uid:
            wanted = stat.S_IRUSR | stat.S_IWUSR
        elif found.st_gid in self.gids:
            wanted = stat.S_IRGRP | stat.S_IWGRP
        else:
            wanted = stat.S_IROTH | stat.S_IWOTH
        return found.st_mode & wanted == wanted


def service_account(case: Case) -> Account:
    """Who runs the service; without a service, who asks. Raises NotFoundError."""
    name = case.unit.get("User")
    if not name:
        uid = os.geteuid()
        return Account(f"user {uid}", uid, frozenset((*os.getgroups(), os.getegid())))
    try:
        entry = pwd.getpwnam(name)
        lent = [grp.getgrnam(each).gr_gid for each in _lent(case)]
    except KeyError as error:
        raise NotFoundError(f"{UNIT} names what is not there ({error.args[0]})") from error
    return Account(name, entry.pw_uid, frozenset((*os.getgrouplist(name, entry.pw_gid), *lent)))


def _lent(case: Case) -> list[str]:
    return case.unit.get("SupplementaryGroups", "").split()
