"""Checks of the program and its service: network, runtime, units, sandbox."""

import re

import cv2

from edge_fea.device.doctor.findings import UNIT, Case, Verdict, bad, ok, unknown, warn
from edge_fea.device.session import load_classifier
from edge_fea.vision.faces import HaarDetector

_SCORE = re.compile(r"exposure level for \S+:? ([\d.]+)")
# systemd's own scale: 0 is locked in, 10 is not at all. What ships stays below the first.
_GOOD_SCORE, _POOR_SCORE = 3.0, 5.0
_MANY_RESTARTS = 3
# It fails where the doctor finds something, so it would keep itself failing.
_SELF = "edge-fea-selfcheck.service"
_LOG = f"see what it says: journalctl -u {UNIT} -n 50"


def network(case: Case) -> Verdict:
    """Whether the network's file is the one that its manifest names. Raises VisionError."""
    manifest = load_classifier(case.settings).manifest
    return ok(f"{manifest.name}, SHA-256 {manifest.sha256[:12]}, as its manifest says")


def runtime(case: Case) -> Verdict:
    """Whether this machine computes what was measured, and finds faces. Raises VisionError."""
    classifier = load_classifier(case.settings)
    difference = classifier.self_check()
    HaarDetector(case.settings.vision.quality.minimum_face)
    found = classifier.runtime
    return ok(
        f"{found.package} {found.version} computes what was measured (differs by "
        f"{difference:.3f}); OpenCV {cv2.__version__}"
    )


def units(case: Case) -> Verdict:
    """Whether the service runs, comes back after a reboot, and does not fail over and over."""
    unit = case.unit
    if not unit:
        return unknown("there is no systemd to ask", "run it on the device")
    if unit.get("LoadState") != "loaded":
        return warn(f"{UNIT} is not installed", "install it: see docs/install.md")
    state = unit.get("ActiveState", "")
    words = f"{state} ({unit.get('SubState', '')})"
    restarts = int(unit.get("NRestarts") or 0)
    if state != "active":
        result = unit.get("Result", "")
        why = f", last result {result}" if result not in ("", "success") else ""
        return bad(f"{UNIT} is {words}{why}", f"sudo systemctl start edge-fea; {_LOG}")
    failed = [name for name in _failed(case) if name not in (UNIT, _SELF)]
    if failed:
        return bad(f"{', '.join(failed)}: failed", f"journalctl -u {failed[0]} tells why")
    if unit.get("UnitFileState") not in ("enabled", "enabled-runtime"):
        return warn(
            f"{UNIT} is {words}, but does not start by itself after a reboot",
            "sudo systemctl enable edge-fea",
        )
    if restarts >= _MANY_RESTARTS:
        return warn(f"{UNIT} is {words}; restarted {restarts} times since boot", _LOG)
    return ok(f"{UNIT} is {words}, {restarts} restarts since boot")


def _failed(case: Case) -> list[str]:
    listed = case.machine.ask(
        *("systemctl", "list-units", "--all", "--plain", "--no-legend", "--state=failed"),
        "edge-fea*",
    )
    return [line.split()[0] for line in (listed or "").splitlines() if line.strip()]


def sandbox(case: Case) -> Verdict:
    """The score that systemd gives: of how much the service could do if it were taken over."""
    if case.unit.get("LoadState") != "loaded":
        return unknown(f"{UNIT} is not installed here")
    said = case.machine.ask("systemd-analyze", "security", "--no-pager", UNIT)
    match = _SCORE.search(said or "")
    if match is None:
        return unknown("systemd-analyze gives no score")
    score = float(match[1])
    text = f"{score:.1f} of 10 (systemd-analyze security; 0 is best)"
    if score > _POOR_SCORE:
        return bad(text, f"somebody has opened it: systemctl cat {UNIT}")
    if score > _GOOD_SCORE:
        return warn(text, f"compare with the unit that ships: systemctl cat {UNIT}")
    return ok(text)
