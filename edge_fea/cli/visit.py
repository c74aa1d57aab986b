"""One clinician's request: answered by the same commands that staff use, and put on record."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from edge_fea.capture.clock import Clock
from edge_fea.cli.context import Options
from edge_fea.cli.spans import span
from edge_fea.clinic.handover import on_record
from edge_fea.clinic.outlet import HashingWriter, translated_output
from edge_fea.clinic.remote import Request
from edge_fea.errors import NotAllowed
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.rows import Row

# These put themselves on record, whoever asks for them.
_OWN_ROWS = frozenset({"export", "report", "pack"})
# Many sessions may have a row to write at the same time, each with its syncs.
_LEAST_PATIENCE_S = 60.0


class _Trail(AuditTrail):
    """Knows whether anything was put on record yet."""

    written = False

    def append(self, entry: AuditEntry, now: datetime) -> Row:
        row = super().append(entry, now)
        self.written = True
        return row


@dataclass(frozen=True)
class _Visitor(Options):
    """The options of a command that somebody asked for over SSH."""

    kept: AuditTrail | None = None

    def trail(self) -> AuditTrail:
        return self.kept or super().trail()


def answer(group: click.Command, request: Request, options: Options, clock: Clock) -> None:
    """Run the command of ``request``, a part of ``group``, for whom ``options`` names.

    It leaves rows that say ``begun`` and how it ended, or one row where it never began. Raises
    what the command raises, and what ``AuditTrail.append`` does; nothing was given out then.
    """
    trail = _open(options)
    visitor = _Visitor(options.config_file, options.database, options.who, trail)
    entry = AuditEntry(options.actor(), request.verb)
    try:
        with (
            click.Context(group, info_name="edge-fea", obj=visitor) as outer,
            _command(outer, request.verb).make_context(
                request.verb, list(request.arguments), outer
            ) as context,
        ):
            if request.verb in _OWN_ROWS:
                context.command.invoke(context)
            else:
                _on_record(context, entry, trail, clock)
    except BaseException as error:
        if not trail.written:
            refused = isinstance(error, NotAllowed | click.UsageError)
            outcome = "refused" if refused else "failed"
            trail.append(replace(entry, outcome=outcome, note=type(error).__name__), clock.now())
        if isinstance(error, click.UsageError):
            raise _WrongCommandLine(error.format_message()) from error
        raise


def put_on_record(options: Options, action: str, outcome: str, note: str, clock: Clock) -> None:
    """Leave one row. Raises what ``AuditTrail.append`` raises."""
    entry = AuditEntry(options.actor(), action, outcome, note=note)
    _open(options).append(entry, clock.now())


def _open(options: Options) -> _Trail:
    store = options.settings().store
    return _Trail(store.audit, busy_timeout=max(store.busy_timeout_s, _LEAST_PATIENCE_S))


def _command(context: click.Context, verb: str) -> click.Command:
    group = context.command
    command = group.get_command(context, verb) if isinstance(group, click.Group) else None
    if command is None:
        raise NotAllowed(f"this edge-fea has no {verb}")
    return command


def _on_record(context: click.Context, entry: AuditEntry, trail: AuditTrail, clock: Clock) -> None:
    asked, visitor = context.params, context.find_object(Options)
    assert visitor is not None
    start, end = span(asked.get("first"), asked.get("last"), visitor.settings())
    entry = replace(
        entry,
        patient=asked.get("patient"),
        start=start,
        end=end,
        format=asked.get("form"),
    )
    with (
        on_record(trail, entry, clock) as receipt,
        translated_output(Path("standard output")),
        _measured_output() as measured,
    ):
        context.command.invoke(context)
        sys.stdout.flush()
        receipt.size, receipt.sha256 = measured.size, measured.sha256


@contextmanager
def _measured_output() -> Iterator[HashingWriter]:
    """Keep the number and the hash of the bytes that go to standard output within the block."""
    measured = HashingWriter(sys.stdout.buffer)
    text = io.TextIOWrapper(_Through(measured), "utf-8", newline="\n")
    with redirect_stdout(text):
        yield measured


class _WrongCommandLine(click.ClickException):
    """In one line: click's own would lead people to --help, which there is not over SSH."""

    exit_code = click.UsageError.exit_code


class _Through(io.BufferedIOBase):
    """What Python wants of a binary stream, in front of a writer."""

    name = "standard output"

    def __init__(self, out: HashingWriter) -> None:
        super().__init__()
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return self._out.write(bytes(data))

    def flush(self) -> None:
        self._out.flush()
