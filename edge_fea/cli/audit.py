"""The command about the audit trail: audit."""

import csv
import json
import sys
from contextlib import closing

import click
from tabulate import tabulate

from edge_fea.cli.context import Options, pass_options
from edge_fea.errors import AuditBroken, NotFoundError, StoreError
from edge_fea.store.anchor import Anchor, anchor_of
from edge_fea.store.audit import AuditTrail
from edge_fea.store.database import open_for_reading
from edge_fea.store.dictionary import TRAIL
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.rows import Row

_SHOWN_HASH = 12


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How the rows are printed.",
)
@click.option("--patient", help="Rows about this pseudonym, and those about everybody.")
@click.option(
    "--verify",
    is_flag=True,
    help="Check instead that no row was removed, changed or put in, nor the whole trail.",
)
@click.option(
    "--head",
    help="With --verify: the hash of the audit row that a pack shows; the trail must contain it.",
)
@pass_options
def audit(options: Options, form: str, patient: str | None, verify: bool, head: str | None) -> None:
    """List what left the device and what was refused, the newest last; or verify the list.

    A trail that is not as it was written makes the exit code 74, and every fault is named.
    """
    if head is not None and not verify:
        raise click.UsageError("--head goes with --verify")
    trail = options.trail()
    if verify:
        _verify(trail, _anchor(options), head)
        return
    rows = trail.rows(patient)
    if form == "json":
        click.echo(json.dumps(rows, indent=1))
    elif form == "csv":
        names = [column.name for column in TRAIL["audit"]]
        writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        ended = {row["ends"] for row in rows}
        click.echo(tabulate([_short(row, ended) for row in rows], headers="keys") or "no rows")


def _anchor(options: Options) -> Anchor | None:
    store = options.settings().store
    try:
        with (
            closing(open_for_reading(store.database, busy_timeout=store.busy_timeout_s)) as db,
            translated(store.database),
        ):
            return anchor_of(db)
    except NotFoundError:
        # A trail may be looked at without its database, which then cannot speak for it.
        return None
    except StoreError as error:
        # The chain of the trail can be verified all the same.
        click.echo(f"edge-fea: the database cannot speak for the whole trail: {error}", err=True)
        return None


def _verify(trail: AuditTrail, anchor: Anchor | None, head: str | None) -> None:
    lost = None if anchor is None else anchor.missing_in(trail)
    try:
        faults = [str(fault) for fault in trail.faults()]
    except NotFoundError:
        if lost:
            raise AuditBroken(f"the audit trail {trail.path}: {lost}") from None
        raise
    faults += [lost] if lost else []
    if head is not None and not trail.contains(head.strip().lower()):
        faults.append(f"no row has the hash {head}: what followed it was cut off, or rewritten")
    if faults:
        raise AuditBroken(
            f"the audit trail {trail.path} is not as it was written:\n" + "\n".join(faults)
        )
    rows = trail.rows()
    click.echo(
        f"{len(rows)} rows, each as it was written, none missing; the last has the hash "
        f"{rows[-1]['chain']}"
    )


def _short(row: Row, ended: set[int | None]) -> dict[str, object]:
    open_ended = row["outcome"] == "begun" and row["seq"] not in ended
    refs = (row["patient_refs"] or "all").split()
    return {
        "row": row["seq"],
        "at": row["at_utc"],
        "who": row["who"],
        "action": row["action"],
        "outcome": "begun, no end" if open_ended else row["outcome"],
        "patients": " ".join(ref[:_SHOWN_HASH] for ref in refs),
        "from": row["from_utc"] or "",
        "to": row["to_utc"] or "",
        "format": row["format"] or "",
        "bytes": "" if row["bytes"] is None else row["bytes"],
        "sha256": (row["sha256"] or "")[:_SHOWN_HASH],
        "note": row["note"],
    }
