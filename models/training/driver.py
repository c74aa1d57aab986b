"""What the long drivers share: commands in processes of their own, and settings that stay.

Each training runs by itself, as somebody at the keyboard would start it: TensorFlow gives memory
back only when its process ends, and whatever was stopped is resumed by the command's own means.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from models.training.data import REPOSITORY


def run(module: str, arguments: Sequence[object], log: Path) -> None:
    """Run ``python -m models.training.MODULE`` and add what it prints to ``log``.

    Raises SystemExit naming the log where it fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as out:
        print(f"--- {module}", *arguments, file=out, flush=True)
        done = python("-m", f"models.training.{module}", *arguments, stdout=out)
    if done.returncode:
        raise SystemExit(f"{module} failed with exit code {done.returncode}: see {log}")


def python(*words: object, stdout: IO[str] | int) -> subprocess.CompletedProcess[bytes]:
    """Run this Python, with this checkout to import from; errors go where the output goes."""
    before = os.environ.get("PYTHONPATH")
    places = os.pathsep.join([str(REPOSITORY), *([before] if before else [])])
    return subprocess.run(
        [sys.executable, *map(str, words)], stdout=stdout, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": places},
    )  # fmt: skip


def say(text: str) -> None:
    """A line of progress, with the time of day."""
    print(f"{time.strftime('%H:%M')}  {text}", flush=True)


def keep_settings(file: Path, settings: dict[str, Any]) -> None:
    """Write down what a driver was told; a later start must be told the same.

    Raises SystemExit naming what differs: results of two settings must not be pooled.
    """
    settings = json.loads(json.dumps(settings))
    if file.is_file():
        known = json.loads(file.read_text())
        changed = sorted(k for k in known | settings if known.get(k) != settings.get(k))
        if changed:
            raise SystemExit(
                f"{file.parent} was begun with other settings ({', '.join(changed)}): give another "
                "--out, or remove it"
            )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings, indent=1) + "\n")


def fingerprint(file: Path) -> str:
    """The beginning of a file's SHA-256: whether it is still the same."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]
