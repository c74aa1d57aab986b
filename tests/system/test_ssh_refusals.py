"""Clinicians over SSH: whatever is no verb is refused, leaves a row, and disturbs nothing.

sshd is real and has the files that ship (``ssh_device``); the service records throughout.
"""

import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_fea.clinic.remote import VERBS
from tests.system.ssh_device import SSHD, Device, Watched, said
from tests.system.ssh_setting import free_port

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


HOSTILE = {
    "no verb": ["''", "bash", "run", "patient end", "STATUS", "edge-fea clips", "P0815"],
    "an operator": [
        *("status; touch {canary}", "status;touch {canary}", "status && touch {canary}"),
        *("status | tee {canary}", "status > {canary}", "; touch {canary}", "status & touch x"),
    ],
    "a substitution": [
        *("status $(touch {canary})", "$(touch {canary})", "status `touch {canary}`"),
        *("clips --patient '$(touch {canary})'", "clips --patient ${HOME}", "clips --patient *"),
    ],
    "another line": ["status\ntouch {canary}", "status\r\ntouch {canary}", "\nstatus"],
    "a file": [
        *("status --config /etc/shadow", "status --config=/etc/shadow", " --config /etc/shadow"),
        *("clips --database /etc/shadow", "export --format csv -o {canary}", "pack -o {canary}"),
        *("report --output {canary}", "report ../../../etc/shadow", "pack /etc/shadow"),
        *("clips --patient ../../etc/shadow", "export --format ../../etc/shadow"),
    ],
    "an option": ["status --debug", "clips --help", "status --version", "clips -- --help"],
    "bytes": ["clips --patient \u202e", "clips --patient 'x", "status \x1b[2J", "status \\"],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_lines_are_refused_and_each_leaves_a_row(
    device: Device, watched: Watched, what: str
) -> None:
    canary = Path("/tmp/edge-fea-canary")
    lines = [line.replace("{canary}", str(canary)) for line in HOSTILE[what]]
    # Some at a time: most of an answer is Python starting twice.
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(device.ask, lines))
    for line, done in zip(lines, answers, strict=True):
        assert (done.returncode, done.stdout) == (77, b""), line
        assert said(done).startswith("edge-fea: ")
        assert said(done).count("\n") == 1
    assert not canary.exists()
    told = watched.told()
    assert [outcome for _, outcome, _ in told] == ["refused"] * len(HOSTILE[what])
    assert {action for action, _, _ in told} <= {*VERBS, "ssh"}
    assert "P0815" not in str(told)
    assert watched.connections() == len(HOSTILE[what])


def test_sshd_understands_the_file_as_it_is_meant(device: Device) -> None:
    subprocess.run(device.inside(SSHD, "-t"), check=True)
    asked = "user=clinician,host=laptop,addr=192.0.2.1"
    out = subprocess.check_output(device.inside(SSHD, "-T", "-C", asked), text=True)
    effective = dict(line.split(" ", 1) for line in out.splitlines())
    assert effective["forcecommand"] == f"{device.folder}/edge-fea clinic"
    assert effective["authenticationmethods"] == "publickey"
    assert effective["authorizedkeysfile"] == "/etc/edge-fea/clinicians"
    for name in ("disableforwarding", "exposeauthinfo", "pubkeyauthentication"):
        assert effective[name] == "yes"
    for name in ("permittty", "permituserrc", "permittunnel", "permituserenvironment"):
        assert effective[name] == "no"
    for name in ("password", "kbdinteractive", "hostbased", "gssapi", "kerberos"):
        assert effective[f"{name}authentication"] == "no"
    for name in ("trustedusercakeys", "authorizedkeyscommand", "authorizedprincipalsfile"):
        assert effective[name] == "none"
    assert effective["acceptenv"] == "NOTHING"


def test_a_login_gets_no_shell(device: Device, watched: Watched) -> None:
    # With and without what else a login may ask for: a terminal, the laptop's agent, its screen.
    logins = [(), ("-t",), ("-A",), ("-X",)]
    for options in logins:
        done = device.ask(None, *options)
        assert (done.returncode, done.stdout) == (77, b"")
        assert "there is no shell here; give one of status, clips" in said(done)
    assert watched.told() == [("ssh", "refused", "no verb")] * len(logins)


def test_a_login_gets_no_terminal(device: Device, watched: Watched) -> None:
    # This one insists, and leaves when it gets none: before its key can be asked for again.
    done = device.ask(None, "-tt")
    assert (done.returncode, done.stdout) == (255, b"")
    assert "PTY allocation request failed" in said(done)
    device.wait_for(lambda: len(watched.rows()) == 2)
    opened, refused = watched.rows()
    assert (opened["who"], opened["action"]) == (device.who, "opened")
    assert refused["who"] in (device.who, "ssh:unknown")
    assert (refused["outcome"], refused["note"]) == ("refused", "no verb")


@pytest.mark.parametrize(
    ("program", "options", "kind"),
    [("sftp", (), "sftp-server"), ("scp", (), "sftp-server"), ("scp", ("-O",), "scp")],
)
def test_files_are_neither_fetched_nor_put(
    device: Device, watched: Watched, tmp_path: Path, program: str, options: tuple, kind: str
) -> None:
    mine = tmp_path / "mine"
    mine.write_text("x")
    theirs = "clinician@127.0.0.1:/etc/passwd"
    pairs = [(theirs, str(tmp_path / "got"))]
    if program == "scp":
        pairs.append((str(mine), "clinician@127.0.0.1:/tmp/edge-fea-put"))
    for pair in pairs:
        words = device.ssh(*options, *pair, program=program)
        assert subprocess.run(words, capture_output=True, check=False).returncode != 0
    assert not (tmp_path / "got").exists()
    assert not Path("/tmp/edge-fea-put").exists()
    assert watched.told() == [("ssh", "refused", f"no such verb: {kind}")] * len(pairs)


def test_no_port_is_forwarded_to_the_device_or_beyond(device: Device, watched: Watched) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0)
        beyond = f"127.0.0.1:{inner.getsockname()[1]}"
        done = device.ask(None, "-W", beyond)
        assert (done.returncode, done.stdout) == (255, b"")
        with pytest.raises(BlockingIOError):
            inner.accept()
    # The other way, and with the client told to give up where a forwarding fails.
    back = device.ask("status", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9")
    assert (back.returncode, back.stdout) == (255, b"")
    device.wait_for(lambda: watched.connections() == 2)
    assert watched.told() == []
    assert "refused local port forward" in (device.folder / "sshd.log").read_text()


def test_a_port_that_the_laptop_opens_leads_nowhere(device: Device, watched: Watched) -> None:
    port, socks = free_port(), free_port()
    forward = f"{port}:127.0.0.1:{device.port}"
    words = device.ssh("-N", "-L", forward, "-D", str(socks), "clinician@127.0.0.1")
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as client:
        device.wait_for(lambda: watched.connections() == 1 or client.poll() is not None)
        greeting = bytes([5, 1, 0]), bytes([5, 1, 0, 1, 127, 0, 0, 1, *divmod(device.port, 256)])
        with socket.create_connection(("127.0.0.1", port)) as through:
            # sshd would greet us here if it were reached.
            assert through.recv(100) == b""
        with socket.create_connection(("127.0.0.1", socks)) as through:
            through.sendall(greeting[0])
            assert through.recv(2) == bytes([5, 0])
            through.sendall(greeting[1])
            assert b"SSH" not in b"".join(iter(lambda: through.recv(100), b""))
        client.kill()
    assert watched.connections() == 1
    assert watched.told() == []


def test_nothing_of_the_laptops_environment_arrives(device: Device, watched: Watched) -> None:
    done = device.ask(
        "status",
        *("-o", "SetEnv=EDGE_FEA_DEVICE__ID=theirs EDGE_FEA_CONFIG=/etc/shadow LC_ALL=tr_TR"),
        *("-o", "SetEnv=PYTHONPATH=/tmp SSH_USER_AUTH=/etc/shadow"),
    )
    assert done.returncode == 0, said(done)
    assert done.stdout.startswith(b"device       ward-3,")
    assert watched.told() == [("status", "begun", ""), ("status", "done", "")]


def test_ten_megabytes_of_arguments_reach_nothing(
    device: Device, watched: Watched, tmp_path: Path
) -> None:
    # No program takes so many as arguments; ssh reads them from its own settings.
    for size, last in ((100_000, 77), (200_000, None), (10_000_000, None)):
        settings = tmp_path / f"{size}.conf"
        settings.write_text("RemoteCommand clips --patient " + "x" * size + "\n")
        words = device.ssh("clinician@127.0.0.1")
        words[words.index("-F") + 1] = str(settings)
        # Most of it is ssh's own reading of so long a line, whose time grows with its square.
        done = subprocess.run(words, capture_output=True, check=False, timeout=800)
        assert done.stdout == b""
        assert done.returncode != 0 if last is None else done.returncode == last, said(done)
    # One came as far as edge-fea; the others ended at the shell's and at sshd's own limit.
    assert watched.told() == [("ssh", "refused", "too long")]
    assert watched.connections() == 3


def test_a_stranger_and_a_password_get_nothing(device: Device, watched: Watched) -> None:
    for options in ({"key": "stranger"}, {"key": "service"}):
        done = device.ask("status", **options)
        assert (done.returncode, done.stdout) == (255, b"")
    done = device.ask("status", "-o", "PubkeyAuthentication=no", "-v")
    assert (done.returncode, done.stdout) == (255, b"")
    assert "Authentications that can continue: publickey\r\n" in said(done)
    assert watched.rows() == []


def test_other_accounts_are_as_they_were(device: Device, watched: Watched) -> None:
    done = device.ask("echo $((6 * 7))", account="edge-fea", key="service")
    assert (done.returncode, done.stdout) == (0, b"42\n")
    assert watched.rows() == []


def test_the_account_can_read_clips_and_change_nothing(device: Device, watched: Watched) -> None:
    data = device.folder / "data"
    read = f"import sqlite3; print(*sqlite3.connect('file:{device.database}?mode=ro', uri=True)"
    statements = {
        f"{read}.execute('SELECT count(*) > 0 FROM clips').fetchone())": "1",
        f"import sqlite3; sqlite3.connect('{device.database}').execute('DELETE FROM clips')": None,
        f"open('{device.database}', 'r+')": None,
        f"open('{data}/new', 'w')": None,
        f"import os; os.remove('{device.database}')": None,
        "open('/etc/edge-fea/clinicians', 'a')": None,
        "open('/.ssh', 'w')": None,
        f"open('{device.database}.lock')": None,
    }
    python = device.inside(*device.as_clinician(), "python3", "-c")
    for statement, answer in statements.items():
        done = subprocess.run([*python, statement], capture_output=True, check=False, text=True)
        assert (done.returncode == 0) == (answer is not None), (statement, done.stderr)
        assert done.stdout.strip() == (answer or "")


@pytest.mark.usefixtures("watched")
def test_without_a_trail_nothing_is_given_out(device: Device) -> None:
    before = len(device.rows())
    device.trail.path.chmod(0o400)
    try:
        answers = [device.ask(line) for line in ("status", "clips", "export --format csv", "scp x")]
    finally:
        device.trail.path.chmod(0o660)
    assert [(done.returncode, done.stdout) for done in answers] == [(73, b"")] * 4
    # Root's row that a connection was opened is there all the same.
    assert {row["action"] for row in device.rows()[before:]} == {"opened"}


def test_the_service_lost_nothing_of_all_that(device: Device) -> None:
    device.must_have_lost_nothing()
