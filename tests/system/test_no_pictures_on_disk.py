"""No image ever reaches the disk: the whole demo under a file-access trace (strace)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

# A system call that can make or change a file, its path, and what it answered.
_OPENED = re.compile(r'(?:openat|open|creat)\((?:[^,"]*, )?"([^"]*)", ([A-Z_|0-9]+)[^=]*= (-?\d+)')
_MOVED = re.compile(
    r"\b(?:rename|renameat|renameat2|link|linkat|symlink|symlinkat|mknod|mkdir)\w*\("
)
CALLS = (
    "trace=open,openat,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "mknod,mknodat,mkdir,mkdirat,memfd_create"
)
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")


def test_the_demo_writes_its_database_and_nothing_else(tmp_path: Path) -> None:
    database, trace = tmp_path / "demo.db", tmp_path / "trace"
    strace = ["strace", "-f", "--seccomp-bpf", "-o", str(trace), "-s", "300", "-e", CALLS]
    demo = [sys.executable, "-B", "-m", "edge_fea", "--database", str(database), "demo"]
    subprocess.run([*strace, *demo], check=True, capture_output=True, timeout=400)
    lines = trace.read_text(errors="replace").splitlines()
    opened = [match.groups() for line in lines if (match := _OPENED.search(line))]
    assert len(opened) > 100, "the trace saw nothing: is strace allowed to run here?"
    written = {
        path
        for path, flags, answer in opened
        if _WRITES.search(flags) and not answer.startswith("-")
    }
    allowed = {str(database) + suffix for suffix in ("", "-wal", "-shm", "-journal", ".lock")}
    assert str(database) in written
    assert written <= allowed | {"/dev/null", "/dev/tty"}, written - allowed
    assert [line for line in lines if _MOVED.search(line) and " = 0" in line] == []
    assert {path.name for path in tmp_path.iterdir()} <= {
        "trace",
        *(Path(path).name for path in allowed),
    }
