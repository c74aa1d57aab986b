"""Clinicians over SSH: the six verbs work and stream, while the service records on.

sshd is real and has the files that ship (``ssh_device``). What is refused is in test_ssh_refusals.
"""

import signal
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.system.ssh_device import LONG_AGO, Device, Watched, said

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


def test_status_tells_that_the_service_records(device: Device, watched: Watched) -> None:
    device.wait_for(lambda: len(device.clips()) > 0)
    done = device.ask("status")
    assert (done.returncode, said(done)) == (0, "")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "device       ward-3, edge-fea 0.1.0"
    assert lines[1] == "recording    yes"
    assert watched.told() == [("status", "begun", ""), ("status", "done", "")]
    assert watched.connections() == 1


UNTIL = (datetime.now(UTC) - timedelta(days=29)).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    "line",
    [
        f"clips --to {UNTIL} --format csv",
        f"clips --to {UNTIL} --patient P07 --sufficient --limit 3",
        f"summary --to {UNTIL} --by hour --format json",
        f"export --format jsonl --to {UNTIL}",
    ],
)
def test_a_verb_gives_what_it_gives_on_the_device(
    device: Device, watched: Watched, line: str
) -> None:
    done = device.ask(line)
    assert done.returncode == 0, said(done)
    told = watched.told()
    assert done.stdout == device.locally(*line.split())
    verb = line.split()[0]
    assert told == [(verb, "begun", ""), (verb, "done", "")]


def test_a_report_comes_as_a_file_that_a_browser_opens(device: Device, watched: Watched) -> None:
    done = device.ask(f"report --from {UNTIL[:10]} --patient P07")
    assert done.returncode == 0, said(done)
    assert done.stdout.lower().startswith(b"<!doctype html")
    assert done.stdout.rstrip().endswith(b"</html>")
    assert watched.told() == [("report", "begun", ""), ("report", "done", "")]


def test_a_pack_comes_encrypted_to_its_reader(device: Device, watched: Watched) -> None:
    done = device.ask("pack")
    assert done.returncode == 0, said(done)
    assert done.stdout.startswith(b"age-encryption.org/v1\n")
    assert watched.told() == [("pack", "begun", ""), ("pack", "done", "")]


def test_a_year_streams_and_a_laptop_that_leaves_in_the_middle_is_on_record(
    device: Device, watched: Watched
) -> None:
    whole = device.ask("export --format csv")
    assert whole.stdout.count(b"\n") > LONG_AGO
    with subprocess.Popen(
        device.ssh("clinician@127.0.0.1", "export --format csv"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as client:
        assert client.stdout is not None
        # The first lines come while the rest is still being read.
        assert client.stdout.readline().startswith(b"clip_id,")
        assert watched.told()[2:] == [("export", "begun", "")]
        client.kill()
    device.wait_for(lambda: len(watched.told()) == 4)
    assert watched.told()[3] == ("export", "failed", "OutputUnwritable")


def test_fifty_at_once_are_answered_or_told_to_come_back(device: Device, watched: Watched) -> None:
    lines = ["status", "clips --limit 5", f"summary --to {UNTIL}", "scp -t .", "export"]
    clients = [
        subprocess.Popen(
            device.ssh("clinician@127.0.0.1", lines[number % len(lines)]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(50)
    ]
    ended = [(client.communicate(timeout=800), client.returncode) for client in clients]
    for number, ((out, err), code) in enumerate(ended):
        allowed = {"scp -t .": {77}, "export": {2, 75}}.get(lines[number % len(lines)], {0, 75})
        assert code in allowed, err
        assert bool(out) == (code == 0)
    told = watched.told()
    assert watched.connections() == 50
    # Each has one row that ends it: done, refused, or refused because others were at work.
    assert len([row for row in told if row[1] != "begun"]) == 50
    done = sum(code == 0 for _, code in ended)
    assert len([row for row in told if row[1] == "done"]) == done
    assert done > 0
    busy = sum(code == 75 for _, code in ended)
    assert len([row for row in told if row[2] == "busy"]) == busy


def test_the_service_lost_nothing_of_all_that(device: Device) -> None:
    device.must_have_lost_nothing()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_clips_are_read_when_the_service_has_ended_too(device: Device, how: signal.Signals) -> None:
    assert device.recorder is not None
    device.recorder.send_signal(how)
    device.recorder.wait()
    newest = device.ask("clips --running --limit 1 --format csv")
    assert newest.returncode == 0, said(newest)
    assert newest.stdout.count(b"\n") == 2
    told = device.ask("status").stdout.decode().splitlines()
    assert told[1].startswith("recording    no:")
    device.start_recorder()
    device.wait_for(lambda: device.ask("status").stdout.splitlines()[1] == b"recording    yes")
    again = device.ask("clips --limit 1 --format csv")
    assert (again.returncode, again.stdout.count(b"\n")) == (0, 2)
