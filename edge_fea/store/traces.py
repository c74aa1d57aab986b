"""What a patient leaves in files, and a search for it: the proof that an erasure was one.

SQLite keeps text as it is and figures as eight bytes, big-endian. So whatever is left of a row, in
a free page, a journal, a copy, can be found without asking SQLite.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_fea.errors import StoreError

_BLOCK = 1 << 22
# Longer than any text that is searched for.
_OVERLAP = 512
# Figures that are searched for: of rows spread evenly over a patient's.
_MOST_ROWS, _MOST_FIGURES = 4000, 500_000
_NAME = rb"A-Za-z0-9_.\-"
# Columns whose figures are nobody else's: averages over minutes. A share such as coverage is one of
# a few hundred fractions, and a clip of somebody else has the same one sooner or later.
_OWN = re.compile(r"(mean|sd|expressivity|negative_mean|motion|variety|doubt)_")
# Figures are looked up by their last bits, which differ even where the figures are alike.
_BITS = 22
_ID_TAIL = 8

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Traces:
    """What would show that something of a patient is left."""

    patient: str
    clip_ids: frozenset[bytes] = frozenset()
    contexts: frozenset[tuple[str, str]] = frozenset()
    """Device and version that stand before and after the pseudonym in rows of clips."""

    figures: Words = field(default_factory=lambda: np.empty(0, np.uint64))
    """The bits of figures that no other patient has, sorted."""

    def __or__(self, other: "Traces") -> "Traces":
        return Traces(
            self.patient,
            self.clip_ids | other.clip_ids,
            self.contexts | other.contexts,
            np.union1d(self.figures, other.figures),
        )


@dataclass(frozen=True, slots=True)
class Search:
    """What was searched, and where something was found: places by file."""

    files: int
    size: int
    """Bytes."""

    found: dict[Path, int]


def traces_of(db: sqlite3.Connection, patient: str) -> Traces:
    """Gather what is to be searched for, from the patient's rows, which are still there."""
    tables = _columns(db)
    if "clips" not in tables:
        return Traces(patient)
    ids = db.execute("SELECT clip_id FROM clips WHERE patient = ?", [patient])
    contexts = db.execute(
        "SELECT DISTINCT device_id, app_version FROM clips WHERE patient = ?", [patient]
    )
    return Traces(
        patient,
        frozenset(clip_id.encode() for (clip_id,) in ids),
        frozenset(contexts),
        _figures(db, tables, patient),
    )


def search(files: Iterable[Path], traces: Traces) -> Search:
    """Search every byte of ``files``. Raises StoreError for one that cannot be read."""
    finder, count, size, found = _Finder(traces), 0, 0, {}
    for path in files:
        try:
            places, length = finder.count(path)
        except FileNotFoundError:
            # A journal that went away in the meantime.
            continue
        except OSError as error:
            raise StoreError(
                f"cannot search {path} for what is left of the patient: {error.strerror}"
            ) from error
        count, size = count + 1, size + length
        if places:
            found[path] = places
    return Search(count, size, found)


def condition_of(table: str, columns: Sequence[str]) -> str | None:
    """Which rows of a table are a patient's, in SQL with one value; None where none can be."""
    if "patient" in columns:
        return "patient = ?"
    if "clip_id" in columns and table != "clips":
        return "clip_id IN (SELECT clip_id FROM clips WHERE patient = ?)"
    return None


def _columns(db: sqlite3.Connection) -> dict[str, dict[str, str]]:
    """Name and type of all columns, by table."""
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        name: {row[1]: row[2] for row in db.execute(f'PRAGMA table_info("{name}")')}
        for name in names
    }


def tables_of(db: sqlite3.Connection) -> dict[str, str]:
    """The tables that have rows of patients, and which rows are one's; clips come last."""
    found = {
        table: condition
        for table, columns in _columns(db).items()
        if (condition := condition_of(table, list(columns))) is not None
    }
    return dict(sorted(found.items(), key=lambda item: item[0] == "clips"))


def _figures(db: sqlite3.Connection, tables: dict[str, dict[str, str]], patient: str) -> Words:
    """The figures that no other patient has."""
    columns = {table: list(filter(_OWN.match, tables[table])) for table in tables}
    conditions = {table: which for table, which in tables_of(db).items() if columns[table]}

    def figures(table: str, which: str) -> Iterator[Words]:
        listed = ", ".join(f'"{name}"' for name in columns[table])
        sql = f'SELECT {listed} FROM "{table}" WHERE {which}'  # noqa: S608
        return _bits(db.execute(sql, [patient]))

    theirs = [np.empty(0, np.uint64)]
    for table, condition in conditions.items():
        sql = f'SELECT count(*) FROM "{table}" WHERE {condition}'  # noqa: S608
        (count,) = db.execute(sql, [patient]).fetchone()
        spread = f"({condition}) AND rowid % {max(1, count // _MOST_ROWS)} = 0"
        theirs += figures(table, spread)
    mine = np.unique(np.concatenate(theirs))
    mine = mine[:: max(1, len(mine) // _MOST_FIGURES)]
    for table, condition in conditions.items():
        for part in figures(table, f"NOT ({condition})"):
            mine = mine[~np.isin(mine, part)]
    return mine


def _bits(rows: Iterable[Sequence[float | None]]) -> Iterator[Words]:
    """The figures' bits, some thousand rows at a time."""
    batch: list[float] = []
    for row in rows:
        batch += [value for value in row if value is not None]
        if len(batch) > 1 << 17:
            yield _distinctive(batch)
            batch = []
    yield _distinctive(batch)


def _distinctive(values: Sequence[float]) -> Words:
    # 0, 1 or 0.8 are in many rows; and whole numbers are not stored as eight bytes.
    numbers = np.array(values, dtype=float)
    bits: Words = numbers[np.round(numbers, 6) != numbers].view(np.uint64)
    return bits


class _Finder:
    def __init__(self, traces: Traces) -> None:
        name = re.escape(traces.patient.encode())
        # In text: the pseudonym as a word. In a database text has no end of its own; there, what
        # stands beside it tells it from a part of something longer.
        self._word = re.compile(rb"(?<![%s])%s(?![%s])" % (_NAME, name, _NAME))
        beside = [
            re.escape(device.encode()) + name + re.escape(version.encode())
            for device, version in traces.contexts
        ]
        # A moment follows it in indexes, stays and resets, and a hash and a moment in baselines.
        after = rb"(?<![%s])%s(?:[0-9a-f]{64})?\d{4}-\d\d-\d\dT" % (_NAME, name)
        self._in_rows = re.compile(b"|".join([*beside, after]))
        self._ids = traces.clip_ids
        self._sizes = {len(each) for each in self._ids}
        tails = [each[-_ID_TAIL:] for each in traces.clip_ids if len(each) >= _ID_TAIL]
        self._tails = np.unique(np.frombuffer(b"".join(tails), ">u8").astype(np.uint64))
        self._figures = traces.figures
        self._mask = np.zeros(1 << _BITS, dtype=bool)
        for words in (self._tails, self._figures):
            self._mask[words & np.uint64((1 << _BITS) - 1)] = True

    def count(self, path: Path) -> tuple[int, int]:
        """How many places of the file hold something, and its size in bytes."""
        places, size, before = 0, 0, b""
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                pattern = self._in_rows if b"\0" in block else self._word
                data = before + block
                # What lies wholly in the overlap was counted with the block before.
                places += sum(match.end() > len(before) for match in pattern.finditer(data))
                places += self._count_words(data, len(before))
                size += len(block)
                before = data[-_OVERLAP:]
        return places, size

    def _count_words(self, data: bytes, counted: int) -> int:
        places = 0
        for shift in range(8):
            length = (len(data) - shift) // 8
            if length <= 0:
                continue
            words = np.frombuffer(data, ">u8", length, shift).astype(np.uint64)
            ends = shift + 8 * np.arange(1, length + 1)
            likely = self._mask[words & np.uint64((1 << _BITS) - 1)] & (ends > counted)
            words, ends = words[likely], ends[likely]
            places += int(_among(words, self._figures).sum())
            places += sum(self._is_id(data, end) for end in ends[_among(words, self._tails)])
        return places

    def _is_id(self, data: bytes, end: int) -> bool:
        return any(data[max(0, end - size) : end] in self._ids for size in self._sizes)


def _among(words: Words, ordered: Words) -> NDArray[np.bool_]:
    if not len(ordered):
        return np.zeros(len(words), dtype=bool)
    places = np.minimum(np.searchsorted(ordered, words), len(ordered) - 1)
    return np.asarray(ordered[places] == words)
