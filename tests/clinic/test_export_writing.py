"""What holds for every format: one moment, whole or not at all, never over another, no row lost."""

import io
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from edge_fea.clinic.export import FORMATS, Extras, export_file, export_stream
from edge_fea.errors import NotFoundError, OutputDamaged, OutputExists, OutputUnwritable
from edge_fea.store.clips import ClipRecorder
from tests.clinic.export_factory import MIXED, insert, record, selected
from tests.conftest import NOON
from tests.store.clip_factory import make_clip

every_format = pytest.mark.parametrize("form", FORMATS.values(), ids=list(FORMATS))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return record(tmp_path / "clips.db", *MIXED)


@every_format
def test_ended_clips_are_counted_when_read_back(form, database: Path, tmp_path: Path) -> None:
    with selected(database) as selection:
        done = export_file(form, selection, tmp_path / "out")
    assert (done.clips, done.patients) == (3, ("P-08", "P07"))
    assert form.count(tmp_path / "out") == 3
    assert (tmp_path / "out").stat().st_size == done.size


@every_format
def test_a_stream_gets_the_same_bytes_as_a_file(form, database: Path, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with selected(database) as selection:
        done = export_file(form, selection, tmp_path / "out")
        streamed = export_stream(form, selection, stream)
    assert streamed == done
    assert stream.getvalue() == (tmp_path / "out").read_bytes()


@every_format
def test_nothing_is_overwritten(form, database: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with selected(database) as selection, pytest.raises(OutputExists):
        export_file(form, selection, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@every_format
def test_only_what_was_asked_for_leaves(form, database: Path, tmp_path: Path) -> None:
    with selected(database, patient="P-08") as selection:
        export_file(form, selection, tmp_path / "out")
        held = io.BytesIO()
        export_stream(FORMATS["jsonl"], selection, held)
    assert form.count(tmp_path / "out") == 1
    assert b"P07" not in (tmp_path / "out").read_bytes()
    assert b"P07" not in held.getvalue()


@every_format
def test_an_empty_period_is_no_empty_file(form, database: Path, tmp_path: Path) -> None:
    with (
        selected(database, patient="P99") as selection,
        pytest.raises(NotFoundError, match="edge-fea clips"),
    ):
        export_file(form, selection, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@every_format
def test_a_clip_that_ends_meanwhile_waits_for_the_next_export(
    form, database: Path, tmp_path: Path
) -> None:
    def write(selection, out, extras) -> None:
        with ClipRecorder(database, busy_timeout=1, now=NOON) as recorder:
            recorder.save(make_clip(20))
        form.write(selection, out, extras)

    with selected(database) as selection:
        done = export_file(replace(form, write=write), selection, tmp_path / "out")
    with selected(database) as selection:
        assert selection.count() == done.clips + 2  # the running one was closed, one is new
    assert form.count(tmp_path / "out") == done.clips


@every_format
def test_a_file_that_lacks_clips_gets_no_name(form, database: Path, tmp_path: Path) -> None:
    def write(selection, out, extras) -> None:
        form.write(selection.of("P07"), out, extras)

    with selected(database) as selection, pytest.raises(OutputDamaged, match=r"2 clips.*3 were"):
        export_file(replace(form, write=write), selection, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == []


@every_format
def test_a_file_that_breaks_off_gets_no_name(form, database: Path, tmp_path: Path) -> None:
    def write(selection, out, extras) -> None:
        whole = io.BytesIO()
        form.write(selection, whole, extras)
        out.write(whole.getvalue()[: int(len(whole.getvalue()) * 0.6)])

    with selected(database) as selection, pytest.raises(OutputDamaged):
        export_file(replace(form, write=write), selection, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == []


def test_a_missing_folder_is_named(database: Path, tmp_path: Path) -> None:
    with selected(database) as selection, pytest.raises(OutputUnwritable, match="nowhere"):
        export_file(FORMATS["csv"], selection, tmp_path / "nowhere" / "out.csv")


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.series])
def test_a_series_that_was_never_kept_is_said_so(name: str, database: Path, tmp_path: Path) -> None:
    with selected(database) as selection, pytest.raises(NotFoundError, match="keep_series"):
        export_file(FORMATS[name], selection, tmp_path / "out", Extras(series=True))


@pytest.mark.parametrize("name", ["csv", "csv-zip", "jsonl", "redcap", "bids", "fhir"])
def test_memory_does_not_grow_with_the_clips(name: str, tmp_path: Path) -> None:
    class Nowhere:
        def write(self, data: bytes, /) -> int:
            return len(data)

        def flush(self) -> None:
            pass

    def peak(database: Path) -> int:
        with selected(database) as selection:
            export_stream(FORMATS[name], selection, Nowhere())
            tracemalloc.start()
            export_stream(FORMATS[name], selection, Nowhere())
            (_, most) = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        return most

    with selected(record(tmp_path / "one.db", make_clip())) as selection:
        (row,) = selection
    few, many = (
        insert(tmp_path / f"{n}.db", *({**row, "clip_id": f"{place:05}"} for place in range(n)))
        for n in (100, 1100)
    )
    # A thousand rows are over a megabyte as Python's objects; their ids and numbers are not.
    assert peak(many) - peak(few) < 400_000
