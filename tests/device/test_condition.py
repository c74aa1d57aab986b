"""How the appliance is, for its own people, and for those who may not see all of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from edge_fea.config import Settings
from edge_fea.device.condition import condition
from edge_fea.device.lights import CAMERA_MISSING
from edge_fea.device.pausing import pause_file
from edge_fea.device.starts import Starts
from edge_fea.store.audit import AuditTrail
from tests.conftest import FakeClock
from tests.store.conftest import public_folder, unprivileged

__all__ = ["public_folder", "unprivileged"]


def test_what_this_user_may_not_read_is_not_told_as_nothing(
    public_folder: Path,
    unprivileged: Callable[[], AbstractContextManager[None]],
    clock: FakeClock,
) -> None:
    settings = Settings(store={"database": public_folder / "edge-fea.db"})
    trail = AuditTrail(settings.store.audit, busy_timeout=1)
    starts = public_folder / "starts.json"
    Starts(starts, public_folder / "reboot", "boot").failed(CAMERA_MISSING)
    starts.chmod(0o600)
    pause = pause_file(settings.store.database)
    pause.write_text("{}")
    pause.chmod(0o600)
    with unprivileged():
        withheld = condition(settings, trail, clock)
    assert (withheld.paused_s, withheld.failures, withheld.last_failure) == (None, None, None)
    seen = condition(settings, trail, clock)
    assert seen.failures == 1
    assert seen.paused_s is not None
