"""Nothing leaves without its rows in the audit trail: one before, one after."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from edge_fea.capture.clock import Clock
from edge_fea.errors import EdgeFeaError, NotAllowed
from edge_fea.store.audit import AuditEntry, AuditTrail


@dataclass
class Receipt:
    """What whoever writes tells the trail."""

    size: int | None = None
    sha256: str | None = None
    note: str = ""


@contextmanager
def on_record(trail: AuditTrail, entry: AuditEntry, clock: Clock) -> Iterator[Receipt]:
    """Put ``entry`` on record as ``begun``, and then as ``done``, ``refused`` or ``failed``.

    Where the first row cannot be written, the block is not entered and nothing leaves. The block
    fills in the receipt. NotAllowed counts as refused, everything else as failed.
    """
    trail.append(replace(entry, outcome="begun"), clock.now())
    receipt = Receipt()
    try:
        yield receipt
    except BaseException as error:
        outcome = "refused" if isinstance(error, NotAllowed) else "failed"
        # The kind alone: a message may hold a path or a pseudonym.
        kind = type(error).__name__ if isinstance(error, EdgeFeaError | OSError) else "interrupted"
        trail.append(replace(entry, outcome=outcome, note=kind), clock.now())
        raise
    trail.append(
        replace(
            entry,
            outcome="done",
            size=receipt.size,
            sha256=receipt.sha256,
            note=receipt.note,
        ),
        clock.now(),
    )
