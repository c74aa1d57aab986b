"""The command that sshd forces on clinicians: clinic.

It is imported with little else: fifty sessions may wait for their turn on a Pi of 512 MB. What
answers a request is imported with the turn (``cli.visit``).
"""

import io
import math
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import click
from click.core import ParameterSource

from edge_fea.capture.clock import Clock, SystemClock
from edge_fea.cli.context import Options, pass_options
from edge_fea.clinic.remote import Refusal, Request, asker, asker_in, understand
from edge_fea.clinic.turns import turn
from edge_fea.errors import NotAllowed, SessionEnded, StoreBusy

# Sessions that work at the same time; others wait for one of them to end. Rows about refusals are
# written one after the other, and not held back for ever.
AT_A_TIME = 2
PATIENCE_S = 60.0
# A session has so long, and more for what it has sent: one that stands still, or whose reader is
# slower than the slowest line, ends; a year of clips does not.
LONGEST_S = 900
SLOWEST_BYTES_S = 50_000
_NICE = 10
_FIRST_TO_GO = "1000"


@click.command()
@click.option(
    "--opened", is_flag=True, help="Put on record that a connection was opened (run by PAM)."
)
@pass_options
@click.pass_context
def clinic(context: click.Context, options: Options, opened: bool) -> None:
    """Answer one request that came over SSH: sshd runs this for the clinicians' account.

    sshd says what is asked (SSH_ORIGINAL_COMMAND) and by which key (SSH_USER_AUTH). Every request
    leaves its rows in the audit trail, refused ones too; without them nothing is given out.
    """
    confine()
    root, clock = context.find_root(), SystemClock()
    # The environment may be the client's; what stands in sshd's own settings is not.
    named = root.get_parameter_source("config_file") is ParameterSource.COMMANDLINE
    file = options.config_file if named else None
    if opened:
        who = asker_in(os.environ.get("SSH_AUTH_INFO_0", ""))
        _put_on_record(Options(file, options.database, who), "opened", "done", "", clock)
        return
    options = Options(file, options.database, asker(os.environ.get("SSH_USER_AUTH")))
    heard = understand(os.environ.get("SSH_ORIGINAL_COMMAND"))
    if isinstance(heard, Refusal):
        _put_on_record(options, heard.action, "refused", heard.kind, clock)
        raise NotAllowed(heard.message)
    if not _answered(root.command, heard, options, clock):
        _put_on_record(options, heard.verb, "refused", "busy", clock)
        raise StoreBusy(
            f"{AT_A_TIME} other sessions have been at work for {PATIENCE_S:.0f} s: try again later"
        )


def confine() -> None:
    """Make this process the last that the recorder must wait for, and the first to be killed.

    Nothing that the client sent reaches it: no settings from the environment, no input.
    """
    os.umask(0o077)
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Everybody may raise his own; a kernel without it has no such killer either.
    with suppress(FileNotFoundError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for name in [name for name in os.environ if name.startswith("EDGE_FEA_")]:
        del os.environ[name]
    # Whatever language the client's computer is set to.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")


def _answered(group: click.Command, request: Request, options: Options, clock: Clock) -> bool:
    """Whether there was a turn; errors of the command are raised."""
    with turn("session", AT_A_TIME, clock, PATIENCE_S) as mine:
        if mine:
            from edge_fea.cli.visit import answer

            with _ended_by_signals(clock):
                answer(group, request, options, clock)
        return mine


def _put_on_record(options: Options, action: str, outcome: str, note: str, clock: Clock) -> None:
    with turn("record", 1, clock, PATIENCE_S):
        from edge_fea.cli.visit import put_on_record

        put_on_record(options, action, outcome, note, clock)


@contextmanager
def _ended_by_signals(clock: Clock) -> Iterator[None]:
    """Let a shutdown and the time limit end what runs, with a row that says ``failed``."""
    began, before = clock.monotonic(), _written()

    def end(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGALRM:
            took = clock.monotonic() - began
            left = LONGEST_S + (_written() - before) / SLOWEST_BYTES_S - took
            if left > 0.0:
                signal.alarm(math.ceil(left))
                return
            _let_go_of_output()
            raise SessionEnded(
                f"not done within {took:.0f} s: ask for a shorter period, or over a faster line"
            )
        _let_go_of_output()
        raise SessionEnded("ended from outside: try again")

    watched = (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP)
    former = {which: signal.signal(which, end) for which in watched}
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        for which, handler in former.items():
            signal.signal(which, handler)


def _written() -> int:
    """Bytes that this process has written until now; 0 on a kernel that does not count them."""
    with suppress(OSError):
        for line in Path("/proc/self/io").read_text().splitlines():
            name, _, value = line.partition(": ")
            if name == "wchar":
                return int(value)
    return 0


def _let_go_of_output() -> None:
    """Whoever does not read any more must not keep this process from ending."""
    with suppress(io.UnsupportedOperation):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
