"""A device to log in to: real accounts, a recorder at work, and sshd with the files that ship.

All of it is in a mount namespace with a copy of /etc, so that the accounts have their real names
and files their real places, and nothing stays on the machine. Needs root.
"""

import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage

from edge_fea.capture.clock import iso, parse_iso
from edge_fea.capture.demo import DemoSource
from edge_fea.store.audit import AuditTrail
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from edge_fea.store.rows import Row
from tests.store.clip_factory import START, make_clip
from tests.system.ssh_setting import ROOT, SCRIPT, copy_whole, free_port, reach, write_video

SSHD = "/usr/sbin/sshd"
CLIP_S = 5
LONG_AGO = 4000
"""Clips of an earlier time, so that an export is more than pipes and sockets hold."""


class Device:
    """The device; ``folder`` can be reached by every account."""

    def __init__(self, folder: Path, stage: DemoSource) -> None:
        self.folder = folder
        self.database = folder / "data" / "edge-fea.db"
        self.trail = AuditTrail(folder / "data" / "audit" / "edge-fea-audit.db", busy_timeout=60)
        self.settings = folder / "settings.toml"
        self.began = datetime.now(UTC)
        self.recorder: subprocess.Popen[bytes] | None = None
        self._namespace: subprocess.Popen[bytes] | None = None
        self._sshd: subprocess.Popen[bytes] | None = None
        self._stage = stage
        self.port = free_port()

    def start(self) -> None:
        """Make the accounts and the keys, start the recorder and sshd."""
        for name in ("host", "clinician", "stranger", "service"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name],
                check=True,
            )
        # /etc/alternatives and others lead elsewhere: links stay links.
        shutil.copytree("/etc", self.folder / "etc", symlinks=True, copy_function=copy_whole)
        self._write_program()
        self._write_settings()
        write_video(self.folder / "room.avi", self._stage)
        self._make_namespace()
        self._record_long_ago()
        self.start_recorder()
        self._start_sshd()

    def close(self) -> None:
        """End all that was started; the namespace goes with its last process."""
        for process in (self.recorder, self._sshd, self._namespace):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(30)

    def start_recorder(self) -> None:
        """Start the service's loop as the service's user, and wait until it watches."""
        run = f"umask 027; exec {self.folder}/edge-fea run"
        log = (self.folder / "recorder.log").open("wb")
        with log:
            self.recorder = subprocess.Popen(
                self.inside(*self.as_service(), "sh", "-c", run), stderr=log, cwd=self.folder
            )
        self.wait_for(lambda: b"watching" in (self.folder / "recorder.log").read_bytes())

    def inside(self, *words: object) -> list[str]:
        """A command within the namespace."""
        assert self._namespace is not None
        place = f"--mount=/proc/{self._namespace.pid}/ns/mnt"
        return ["nsenter", place, "--", *map(str, words)]

    @staticmethod
    def as_service() -> list[str]:
        """What makes a command the service's user's."""
        return ["setpriv", "--reuid=edge-fea", "--regid=edge-fea", "--init-groups"]

    @staticmethod
    def as_clinician() -> list[str]:
        """What makes a command the clinicians' account's."""
        return ["setpriv", "--reuid=clinician", "--regid=clinician", "--init-groups"]

    def ssh(self, *words: str, key: str = "clinician", program: str = "ssh") -> list[str]:
        """``ssh`` (or ``scp``, ``sftp``) with all that it needs to find the device."""
        options = {
            "Port": self.port,
            "IdentityFile": self.folder / key,
            "UserKnownHostsFile": self.folder / "known_hosts",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "LogLevel": "ERROR",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return [program, "-F", "none", *given, *words]

    def ask(
        self, line: str | None, *options: str, account: str = "clinician", key: str = "clinician"
    ) -> subprocess.CompletedProcess[bytes]:
        """One request; None asks for a login."""
        words = [*options, f"{account}@127.0.0.1", *([] if line is None else [line])]
        return subprocess.run(
            self.ssh(*words, key=key),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=200,
        )

    def locally(self, *words: str) -> bytes:
        """What ``edge-fea`` gives on the device itself."""
        done = subprocess.run(
            self.inside(self.folder / "edge-fea", *words), check=True, capture_output=True
        )
        return done.stdout

    def rows(self) -> list[Row]:
        """The audit trail, which must be whole; nothing before the first connection."""
        if not self.trail.path.exists() or not self.trail.path.stat().st_size:
            return []
        assert self.trail.faults() == []
        return self.trail.rows()

    def clips(self) -> list[Row]:
        """What was recorded since the device began, the running clip too."""
        with ClipReader(self.database, busy_timeout=30) as reader:
            return list(reader.clips(ClipFilter(start=self.began, running=True)))

    def recorded(self) -> float:
        """Seconds that clips hold since the device began: more with each checkpoint."""
        return sum(float(row["duration_s"]) for row in self.clips())

    def must_have_lost_nothing(self) -> None:
        """The recorder is at it, every clip is whole and joins on to the one before."""
        clips: list[Row] = []

        def enough() -> bool:
            # Between two clips there is none that runs, for as long as a checkpoint takes.
            clips[:] = self.clips()
            return len(clips) > 12 and clips[-1]["ended_by"] is None

        self.wait_for(enough)
        ended, running = clips[:-1], clips[-1]
        assert len(ended) > 10
        assert {row["ended_by"] for row in ended} == {"full"}
        assert {row["frames_due"] for row in ended} == {CLIP_S}
        assert {row["frames_capture_lost"] for row in clips} == {0}
        starts = [row["start_monotonic_s"] for row in clips]
        assert starts == [starts[0] + CLIP_S * number for number in range(len(clips))]
        # It kept pace: what it wrote last is of now.
        assert running["ended_by"] is None
        behind = datetime.now(UTC) - parse_iso(running["start_utc"])
        assert behind < timedelta(seconds=3 * CLIP_S)
        assert self.recorder is not None
        assert self.recorder.poll() is None

    @property
    def who(self) -> str:
        """What the audit trail must call the clinician."""
        line = subprocess.check_output(["ssh-keygen", "-lf", self.folder / "clinician.pub"])
        return f"ssh:{line.decode().split()[1]}"

    @staticmethod
    def wait_for(condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; the test's own time-out ends a wait in vain."""
        while not condition():
            time.sleep(0.1)

    def _write_program(self) -> None:
        # A device has no pandas, which sqlite-utils loads where it finds it.
        start = "import sys; sys.modules['pandas'] = None; from edge_fea.cli import main; main()"
        program = self.folder / "edge-fea"
        program.write_text(
            "#!/bin/sh\n"
            f'exec {sys.executable} -c {shlex.quote(start)} --config {self.settings} "$@"\n'
        )
        program.chmod(0o755)

    def _write_settings(self) -> None:
        reader = pyrage.x25519.Identity.generate().to_public()
        self.settings.write_text(
            f"""
[capture]
source = "video"
path = "{self.folder}/room.avi"
frame_rate = 1.0
[clip]
development = true
length_s = {CLIP_S}
checkpoint_s = 1
[store]
database = "{self.database}"
[clinic]
recipients = ["{reader}"]
signing_key = "{self.folder}/data/keys/device.pem"
[device]
id = "ward-3"
patient = "P07"
time_zone = "Europe/Berlin"
"""
        )

    def _make_namespace(self) -> None:
        make_key = (
            "from pathlib import Path; from edge_fea.clinic.keys import device_key; "
            f"device_key(Path('{self.folder}/data/keys/device.pem'))"
        )
        script = SCRIPT.format(
            folder=self.folder,
            root=ROOT,
            python=sys.executable,
            make_key=shlex.quote(make_key),
            as_service=" ".join(self.as_service()),
            reach="\n".join(reach(self.folder)),
        )
        self._namespace = subprocess.Popen(
            ["unshare", "--mount", "--propagation=private", "bash", "-euc", script],
            stdout=subprocess.PIPE,
            cwd=self.folder,
        )
        assert self._namespace.stdout is not None
        with self._namespace.stdout as out:
            assert out.readline() == b"ready\n", "the namespace was not made: see stderr"

    def _record_long_ago(self) -> None:
        with ClipRecorder(self.database, busy_timeout=5, now=START) as recorder:
            recorder.save(make_clip())
        with closing(sqlite3.connect(self.database)) as db, db:
            db.row_factory = sqlite3.Row
            row = dict(db.execute("SELECT * FROM clips").fetchone())
            db.execute("DELETE FROM clips")
            marks = ", ".join(f":{name}" for name in row)
            first = self.began - timedelta(days=30)
            db.executemany(
                f"INSERT INTO clips VALUES ({marks})",
                (
                    {
                        **row,
                        "clip_id": f"{number:08x}{row['clip_id'][8:]}",
                        "start_utc": iso(first + timedelta(minutes=5 * number)),
                    }
                    for number in range(LONG_AGO)
                ),
            )
        # As the service would have made it (UMask=0027).
        for file in (self.database, self.database.with_name(self.database.name + ".lock")):
            file.chmod(0o640 if file == self.database else 0o600)
            above = self.database.parent.stat()
            os.chown(file, above.st_uid, above.st_gid)

    def _start_sshd(self) -> None:
        # Debian's own sshd_config, with its Include; by default sshd drops a part of fifty
        # connections that come at once, and here all are to reach edge-fea. Of what the laptop
        # sends, the rest of the house lets everything in.
        options = {
            "ListenAddress": "127.0.0.1",
            "PidFile": "none",
            "MaxStartups": "200",
            "AcceptEnv": "*",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        host = (self.folder / "host.pub").read_text()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host}")
        log = self.folder / "sshd.log"
        self._sshd = subprocess.Popen(
            self.inside(
                *(SSHD, "-D", "-E", log, "-p", self.port, "-h", self.folder / "host", *given)
            ),
            cwd=self.folder,
        )
        self.wait_for(lambda: log.exists() and "Server listening" in log.read_text())


class Watched:
    """What one test adds to the audit trail."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._before = len(device.rows())

    def rows(self) -> list[Row]:
        return self._device.rows()[self._before :]

    def told(self) -> list[tuple[str, str, str]]:
        """The rows about requests; each must name the clinician's key."""
        rows = [row for row in self.rows() if row["action"] != "opened"]
        assert {row["who"] for row in rows} <= {self._device.who}
        return [(row["action"], row["outcome"], row["note"]) for row in rows]

    def connections(self) -> int:
        rows = [row for row in self.rows() if row["action"] == "opened"]
        assert {row["who"] for row in rows} <= {self._device.who}
        return len(rows)


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """What was said on standard error."""
    return done.stderr.decode()
