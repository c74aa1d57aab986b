"""clinic: what sshd runs. Requests are answered by the other commands, all are put on record."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_fea.capture.clock import SystemClock
from edge_fea.cli import cli
from edge_fea.cli import clinic as command
from edge_fea.clinic.turns import turn
from edge_fea.store.audit import AuditTrail
from edge_fea.store.rows import Row

Ask = Callable[..., Result]

BLOB = b"a public key"
WHO = "ssh:SHA256:" + base64.b64encode(hashlib.sha256(BLOB).digest()).decode().rstrip("=")
AUTH = f"publickey ssh-ed25519 {base64.b64encode(BLOB).decode()}\n"


@pytest.fixture(autouse=True)
def confined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """This process stays as it is; what ``confine`` does is tried out in a process of its own."""
    calls: list[str] = []
    monkeypatch.setattr(command, "confine", lambda: calls.append("confined"))
    return calls


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PATIENCE_S", 0.3)


@pytest.fixture
def ask(tmp_path: Path, database: Path) -> Ask:
    auth = tmp_path / "sshauth"
    auth.write_text(AUTH)

    def asking(line: str | None, *arguments: object, **environment: str) -> Result:
        given = {"SSH_ORIGINAL_COMMAND": line, "SSH_USER_AUTH": str(auth), **environment}
        words = [*map(str, arguments or ("--database", database)), "clinic"]
        return CliRunner(env=given).invoke(cli, words)

    return asking


def trail(database: Path) -> list[Row]:
    kept = AuditTrail(database.parent / "audit" / "clips-audit.db", busy_timeout=1)
    assert kept.faults() == []
    return kept.rows()


def told(rows: list[Row]) -> list[tuple[str, str, str]]:
    assert {row["who"] for row in rows} == {WHO}
    return [(row["action"], row["outcome"], row["note"]) for row in rows]


# What `status` tells on the device alone.
OF_THE_APPLIANCE = ("pause ", "last failure ", "last backup ", "disk ")


@pytest.mark.parametrize(
    "line",
    ["clips --format csv --patient P07", "summary --patient P07 --format json", "status"],
)
def test_a_request_gives_what_the_command_gives(ask: Ask, database: Path, line: str) -> None:
    plain = CliRunner().invoke(cli, ["--database", str(database), *line.split()])
    done = ask(line)
    lines = plain.stdout.splitlines(keepends=True)
    given = "".join(each for each in lines if not each.startswith(OF_THE_APPLIANCE))
    assert (done.exit_code, done.stdout, done.stderr) == (0, given, "")
    action = line.split()[0]
    rows = trail(database)
    assert told(rows) == [(action, "begun", ""), (action, "done", "")]
    assert rows[1]["ends"] == rows[0]["seq"]
    assert rows[1]["bytes"] == len(done.stdout_bytes)
    assert rows[1]["sha256"] == hashlib.sha256(done.stdout_bytes).hexdigest()


def test_the_row_tells_what_was_asked_for(ask: Ask, database: Path) -> None:
    ask("clips --from 2026-11-22T12:05+00:00 --to 2026-11-22 --patient P08 --format csv")
    row = trail(database)[-1]
    assert (row["from_utc"], row["to_utc"], row["format"]) == (
        "2026-11-22T12:05:00.000Z",
        "2026-11-23T00:00:00.000Z",
        "csv",
    )
    assert row["patient_refs"]
    assert "P08" not in str(row)


def test_an_export_puts_itself_on_record_once(ask: Ask, database: Path) -> None:
    done = ask("export --format jsonl --patient P07")
    assert done.exit_code == 0, done.stderr
    assert told(trail(database)) == [("export", "begun", ""), ("export", "done", "")]


@pytest.mark.parametrize(
    ("line", "action", "kind"),
    [
        (None, "ssh", "no verb"),
        ("scp -t .", "ssh", "no such verb: scp"),
        ("status; id", "ssh", "no such verb"),
        ("clips --config /etc/shadow", "clips", "option"),
        ("clips --patient ../../etc/shadow", "clips", "value"),
    ],
)
def test_a_refusal_is_one_line_and_on_record(
    ask: Ask, database: Path, line: str | None, action: str, kind: str
) -> None:
    done = ask(line)
    assert (done.exit_code, done.stdout) == (77, "")
    assert done.stderr.startswith("edge-fea: ")
    assert done.stderr.count("\n") == 1
    assert told(trail(database)) == [(action, "refused", kind)]


def test_a_wrong_value_is_the_commands_own_to_refuse(ask: Ask, database: Path) -> None:
    done = ask("clips --from yesterday")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "is no day such as" in done.stderr
    assert "--help" not in done.stderr
    assert told(trail(database)) == [("clips", "refused", "BadParameter")]


def test_an_export_that_never_began_is_on_record_too(ask: Ask, database: Path) -> None:
    assert ask("export --format json-of-some-kind").exit_code == 2
    assert ask("export --format csv --from 2030-01-01").exit_code == 66
    assert [row["outcome"] for row in trail(database)] == ["refused", "begun", "failed"]


def test_a_device_without_a_database_says_so_and_records_it(ask: Ask, database: Path) -> None:
    elsewhere = database.with_name("none.db")
    done = ask("clips", "--database", elsewhere)
    assert done.exit_code == 66
    kept = AuditTrail(database.parent / "audit" / "none-audit.db", busy_timeout=1)
    assert told(kept.rows()) == [("clips", "begun", ""), ("clips", "failed", "NotFoundError")]


@pytest.mark.parametrize("line", ["clips", "status", "export --format csv", "scp", None])
def test_without_a_trail_nothing_is_given_out(ask: Ask, database: Path, line: str | None) -> None:
    (database.parent / "audit").write_text("a file where a folder should be")
    done = ask(line)
    assert (done.exit_code, done.stdout) == (73, "")


def test_a_key_that_is_not_known_is_named_so(ask: Ask, database: Path) -> None:
    assert ask("status", SSH_USER_AUTH="/nowhere").exit_code == 0
    assert {row["who"] for row in trail(database)} == {"ssh:unknown"}


def test_settings_from_the_environment_do_not_count(
    ask: Ask, tmp_path: Path, database: Path
) -> None:
    theirs = tmp_path / "theirs.toml"
    theirs.write_text('[device]\nid = "theirs"\n')
    done = ask("status", EDGE_FEA_CONFIG=str(theirs))
    assert done.exit_code == 0
    assert "theirs" not in done.stdout
    ours = ask("status", "--config", theirs, "--database", database)
    assert "theirs" in ours.stdout


@pytest.fixture
def all_taken() -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(command.AT_A_TIME):
            stack.enter_context(turn("session", command.AT_A_TIME, SystemClock(), 0))
        yield


@pytest.mark.usefixtures("all_taken")
def test_who_waits_in_vain_is_told_to_come_back_and_is_on_record(ask: Ask, database: Path) -> None:
    done = ask("clips")
    assert (done.exit_code, done.stdout) == (75, "")
    assert "try again later" in done.stderr
    assert told(trail(database)) == [("clips", "refused", "busy")]


@pytest.mark.parametrize(
    ("which", "words"),
    [(signal.SIGALRM, "not done within"), (signal.SIGTERM, "ended from outside")],
)
def test_a_session_that_is_ended_says_so_and_leaves_a_failed_row(
    ask: Ask, database: Path, monkeypatch: pytest.MonkeyPatch, which: signal.Signals, words: str
) -> None:
    def echo_for_ever(*_: object) -> None:
        threading.Event().wait(60)

    monkeypatch.setattr("edge_fea.cli.read.echo_clips", echo_for_ever)
    if which is signal.SIGALRM:
        monkeypatch.setattr(command, "LONGEST_S", 1)
    else:
        threading.Timer(1, os.kill, (os.getpid(), which)).start()
    done = ask("clips")
    assert done.exit_code == 75
    assert words in done.stderr
    assert told(trail(database)) == [("clips", "begun", ""), ("clips", "failed", "SessionEnded")]


def test_a_session_that_goes_on_sending_has_more_time(
    ask: Ask, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, counted = threading.Event(), []

    def written() -> int:
        # Nothing when it begins; much when its time is up.
        counted.append(len(counted) * 10 * command.SLOWEST_BYTES_S)
        if len(counted) > 1:
            at_work.set()
        return counted[-1]

    monkeypatch.setattr(command, "LONGEST_S", 1)
    monkeypatch.setattr(command, "_written", written)
    monkeypatch.setattr("edge_fea.cli.read.echo_clips", lambda *_: at_work.wait(60))
    assert ask("clips").exit_code == 0
    assert len(counted) == 2
    assert told(trail(database)) == [("clips", "begun", ""), ("clips", "done", "")]


def test_what_a_process_has_written_is_counted() -> None:
    before = command._written()
    os.write(os.open(os.devnull, os.O_WRONLY), bytes(100_000))
    assert command._written() >= before + 100_000


def test_the_former_signal_handlers_come_back(ask: Ask) -> None:
    before = [signal.getsignal(which) for which in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP)]
    ask("status")
    assert [
        signal.getsignal(which) for which in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP)
    ] == before


def test_a_session_is_the_least_of_the_machine_and_hears_only_sshd() -> None:
    script = """
import json, os, resource, sys
from edge_fea.cli.clinic import confine
confine()
print(json.dumps([os.umask(0), os.nice(0), resource.getrlimit(resource.RLIMIT_CORE),
    sys.stdin.read(), open("/proc/self/oom_score_adj").read().strip(), sys.stdout.encoding,
    [name for name in os.environ if name.startswith("EDGE_FEA")]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"EDGE_FEA_CLIP__LENGTH_S": "1", "PYTHONIOENCODING": "latin-1"},
        input="typed by the client",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [0o077, os.nice(0) + 10, [0, 0], "", "1000", "utf-8", []]


def test_who_waits_for_a_turn_holds_neither_settings_nor_store() -> None:
    heavy = ["pydantic", "sqlite_utils", "numpy", "cv2"]
    script = f"import sys, edge_fea.cli.clinic; print([x for x in {heavy} if x in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_connection_is_put_on_record_for_pam(database: Path, confined: list[str]) -> None:
    done = CliRunner(env={"SSH_AUTH_INFO_0": AUTH, "SSH_ORIGINAL_COMMAND": "clips"}).invoke(
        cli, ["--database", str(database), "clinic", "--opened"]
    )
    assert (done.exit_code, done.output) == (0, "")
    assert told(trail(database)) == [("opened", "done", "")]
    assert confined == ["confined"]
