"""Apache Parquet: typed columns for pandas, DuckDB, R and Spark. Needs the extra ``parquet``."""

import io
from itertools import islice
from pathlib import Path
from typing import Any

from edge_fea import __version__
from edge_fea.capture.clock import parse_iso
from edge_fea.clinic.export.form import Extras, Format, Sink
from edge_fea.clinic.export.lines import typed
from edge_fea.clinic.selection import Selection
from edge_fea.errors import ExtraMissing
from edge_fea.store.clip_columns import Column
from edge_fea.store.dictionary import TABLES
from edge_fea.store.rows import Row

_GROUP = 1024
"""Clips in memory at a time: parquet lays a column's values side by side."""

_MOMENTS = [column.name for column in TABLES["clips"] if column.kind == "moment"]


class _Raw(io.RawIOBase):
    """A sink as pyarrow wants it: it asks a file whether it is open and can be written."""

    def __init__(self, out: Sink) -> None:
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return self._out.write(bytes(data))


def _write(selection: Selection, out: Sink, extras: Extras) -> None:
    del extras
    pa = _pyarrow()
    import pyarrow.parquet as pq

    schema = pa.schema(
        [_field(pa, column) for column in TABLES["clips"]], {"edge_fea_version": __version__}
    )
    with pq.ParquetWriter(_Raw(out), schema, compression="zstd") as writer:
        rows = (_row(row) for row in selection)
        while group := list(islice(rows, _GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _row(row: Row) -> Row:
    return typed(row) | {name: parse_iso(row[name]) for name in _MOMENTS if row[name] is not None}


def _field(pa: Any, column: Column) -> Any:
    kinds = {
        "text": pa.string(),
        "moment": pa.timestamp("ms", tz="UTC"),
        "integer": pa.int64(),
        "real": pa.float64(),
        "boolean": pa.bool_(),
    }
    told = {"meaning": column.meaning, "unit": column.unit, "range": column.range}
    told |= {"formula": column.formula}
    return pa.field(
        column.name,
        kinds[column.kind],
        nullable=column.nullable,
        metadata={name: text for name, text in told.items() if text},
    )


def _count(path: Path) -> int:
    _pyarrow()
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return sum(batch.num_rows for batch in file.iter_batches(_GROUP))


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise ExtraMissing(
            "the format parquet needs pyarrow: install edge-fea[parquet], or take csv"
        ) from error
    return pyarrow


PARQUET = Format("parquet", "typed columns (extra `parquet`)", ".parquet", _write, _count)
