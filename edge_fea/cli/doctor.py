"""The device examines itself: doctor."""

import json
from dataclasses import asdict

import click

from edge_fea import __version__
from edge_fea.capture.clock import SystemClock, boot_id, iso
from edge_fea.cli.context import Options, pass_options
from edge_fea.device.doctor.checks import CHECKS, PRIVACY, examine
from edge_fea.device.doctor.findings import Case, Finding, State
from edge_fea.device.doctor.machine import Machine
from edge_fea.device.doctor.privacy import NOT_PROVED
from edge_fea.errors import Unwell

_MARKS = {State.OK: "OK", State.WARN: "!!", State.BAD: "XX", State.UNKNOWN: "??"}
_LEGEND = "OK well   !! works, but see to it   XX does not work   ?? could not be found out"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option(
    "--privacy",
    is_flag=True,
    help="Examine the running service instead: that no picture leaves it. Ask as root.",
)
@click.option("--full", is_flag=True, help="Check all of the database, however long it takes.")
@pass_options
def doctor(options: Options, as_json: bool, privacy: bool, full: bool) -> None:
    """Examine the device: one line a check, with what to do where it is not well.

    Recording is not disturbed: nothing is changed, and a camera that is in use is left alone. Ends
    with 0 where nothing failed, else with 71; with --privacy also where something could not be
    proved.
    """
    clock = SystemClock()
    case = Case(options.settings(), Machine(), clock, boot_id(), check_s=None if full else 5.0)
    findings = examine(case, PRIVACY if privacy else CHECKS)
    if as_json:
        report = {
            "device_id": case.settings.device.identity(),
            "app_version": __version__,
            "at_utc": iso(clock.now()),
            "findings": [asdict(finding) for finding in findings],
            "not_proved": list(NOT_PROVED) if privacy else [],
        }
        click.echo(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        click.echo(_page(findings, privacy))
    counts = {State.BAD, State.UNKNOWN} if privacy else {State.BAD}
    failed = [finding.name for finding in findings if finding.state in counts]
    if failed:
        verb = "not proved" if privacy else "not well"
        raise Unwell(f"{verb}: {', '.join(failed)}")


def _page(findings: list[Finding], privacy: bool) -> str:
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.state]}  {finding.name:{width}}  {finding.what}")
        if finding.todo:
            lines.append(f"    {'':{width}}  -> {finding.todo}")
    lines += ["", _LEGEND]
    if privacy:
        lines += ["", "What this cannot prove:", *(f"- {each}" for each in NOT_PROVED)]
    return "\n".join(lines)
