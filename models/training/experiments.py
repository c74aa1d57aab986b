"""The log of every run, ``models/experiments.csv``.

Training and evaluation add their lines by themselves. ``python -m models.training.experiments
RUNS`` adds those of runs that were stopped, or made from a copy of the sources.
"""

import argparse
import csv
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from models.training import arguments as given
from models.training.data import REPOSITORY

LOG = REPOSITORY / "models" / "experiments.csv"
COLUMNS = (
    "date", "what", "fold", "seed", "size", "steps", "minutes", "figures", "settings", "network",
    "command", "note",
)  # fmt: skip
# Columns of a stage's log.csv that are no figures.
_PROGRESS = {"stage", "step", "seconds", "rate"}
# Options that say where things lie, and --note, which has a column of its own.
_LEFT_OUT = {"--out", "--cache", "--log", "--figures", "--json", "--note"}


def portable(command: str) -> str:
    """A command without this machine's folders: where things lie is nobody's business.

    Options that only name an output, and notes, are left out; of other paths the last two parts
    stay.
    """
    kept, words = [], iter(shlex.split(command))
    for word in words:
        option, equals, value = word.rpartition("=")
        if option in _LEFT_OUT:
            continue
        if value in _LEFT_OUT:
            next(words, None)
            continue
        parts = Path(value).parts
        if parts[:1] in (("/",), ("..",), ("~",)):
            value = "/".join(parts[1:][-2:])
        kept.append(option + equals + value)
    return " ".join(kept)


def command_line(module: str, arguments: Sequence[str] | None) -> str:
    """The command as typed; ``arguments`` are None where they came from the keyboard."""
    given = sys.argv[1:] if arguments is None else arguments
    return shlex.join(["python", "-m", f"models.training.{module}", *map(str, given)])


def plain(values: Mapping[str, Any]) -> str:
    """Settings or figures as ``name=value`` pairs; what is nested in brackets."""
    return " ".join(f"{name}={_value(value)}" for name, value in values.items())


def run_row(folder: Path, note: str = "") -> dict[str, Any]:
    """The line of one stage, from what train left in its folder.

    Raises FileNotFoundError where no validation was reached yet.
    """
    run = json.loads((folder / "run.json").read_text())
    file = folder / "log.csv"
    with file.open(newline="") as lines:
        last = list(csv.DictReader(lines))[-1]
    with np.load(folder / "state.npz") as state:
        settings = json.loads(str(state["meta"]))["stage"]
    network = dict(run["network"])
    step, steps = int(last["step"]), int(settings["steps"])
    stopped = [] if step == steps else [f"stopped at step {step} of {steps}"]
    for known in ("name", "size", "steps", "validate_every"):
        settings.pop(known)
    return {
        "date": _moment(file.stat().st_mtime),
        "what": f"train {run['preset']}/{run['stage']}",
        "fold": run["fold"],
        "seed": run["seed"],
        "size": network.pop("size"),
        "steps": step,
        "minutes": round(int(last["seconds"]) / 60, 1),
        "figures": plain({name: v for name, v in last.items() if name not in _PROGRESS}),
        "settings": plain(settings),
        "network": plain(network),
        "command": portable(run["command"]),
        "note": "; ".join([*stopped, *([note] if note else [])]),
    }


def evaluation_row(
    name: str, fold: str, minutes: float, figures: Mapping[str, Any], command: str, note: str = ""
) -> dict[str, Any]:
    """The line of one evaluation, as of now."""
    return {
        "date": _moment(datetime.now(UTC).timestamp()),
        "what": f"evaluate {name}",
        "fold": fold,
        "minutes": round(minutes, 1),
        "figures": plain(figures),
        "command": portable(command),
        "note": note,
    }


def append(row: Mapping[str, Any], log: Path = LOG) -> bool:
    """Add a line to the log; False where it holds that run at that moment already."""
    known = read(log)
    line = {name: str(row.get(name, "")) for name in COLUMNS}
    if any(all(old[key] == line[key] for key in ("date", "what", "command")) for old in known):
        return False
    with log.open("a", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        if not known and log.stat().st_size == 0:
            writer.writeheader()
        writer.writerow(line)
    return True


def read(log: Path = LOG) -> list[dict[str, str]]:
    """All lines of the log, oldest first; none where there is no file."""
    if not log.is_file():
        return []
    with log.open(newline="") as lines:
        return list(csv.DictReader(lines))


def _moment(timestamp: float) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%dT%H:%MZ}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({plain(value)})"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.experiments",
        description="Add the runs below the folders to the log, unless they are in it.",
    )
    parser.add_argument("folders", type=given.folder, nargs="+", help="--out folders of train")
    parser.add_argument("--log", type=Path, default=LOG, help="default: %(default)s")
    parser.add_argument("--note", default="", help="what to say of them")
    options = parser.parse_args(arguments)
    stages = {file.parent for folder in options.folders for file in folder.rglob("log.csv")}
    rows = [run_row(stage, options.note) for stage in stages]
    added = [append(row, options.log) for row in sorted(rows, key=lambda row: row["date"])]
    print(f"{sum(added)} added, {len(added) - sum(added)} known already")


if __name__ == "__main__":
    main()
