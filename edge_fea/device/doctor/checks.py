"""All checks of the doctor, in the order in which they are shown."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from edge_fea.device.doctor import hardware, light, privacy, records, service
from edge_fea.device.doctor.findings import Case, Finding, Verdict, bad, unknown
from edge_fea.errors import EdgeFeaError, StoreBusy


class Check(NamedTuple):
    """One check and the name that it is shown by."""

    name: str
    examine: Callable[[Case], Verdict]


CHECKS: Final = (
    Check("units", service.units),
    Check("last clip", records.last_clip),
    Check("camera", hardware.camera),
    Check("light", light.light),
    Check("network", service.network),
    Check("runtime", service.runtime),
    Check("database", records.database),
    Check("permissions", records.permissions),
    Check("disk", hardware.disk),
    Check("wear", hardware.wear),
    Check("swap", privacy.swap),
    Check("backup", records.backup),
    Check("audit trail", records.audit),
    Check("last export", records.last_export),
    Check("clock", hardware.clock),
    Check("zone", hardware.zone),
    Check("temperature", hardware.temperature),
    Check("power", hardware.power),
    Check("sandbox", service.sandbox),
)
"""How the device is."""

PRIVACY: Final = (
    Check("process", privacy.process),
    Check("files", privacy.files),
    Check("memory maps", privacy.mappings),
    Check("bytes written", privacy.written),
    Check("sockets", privacy.sockets),
    Check("confinement", privacy.confinement),
    Check("core dumps", privacy.core_dumps),
    Check("swap", privacy.swap),
)
"""Whether a picture, or anything else, can leave the process that records."""


def examine(case: Case, checks: Iterable[Check] = CHECKS) -> list[Finding]:
    """What each check says. One that cannot look does not keep the others from it."""
    verdicts = ((check.name, _verdict(check, case)) for check in checks)
    return [Finding(name, told.state, told.what, told.todo) for name, told in verdicts]


def _verdict(check: Check, case: Case) -> Verdict:
    try:
        return check.examine(case)
    except PermissionError as error:
        return unknown(f"not permitted ({error})", "ask as root: sudo edge-fea doctor")
    except StoreBusy as error:
        return unknown(str(error), "ask again")
    except EdgeFeaError as error:
        return bad(str(error), "see docs/doctor.md")
