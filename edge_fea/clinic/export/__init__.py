"""Exports: the selected clips in the formats that their users read.

    csv, csv-zip   a table, for spreadsheets, R, pandas       tidy.py
    jsonl          one object a line, for programs            lines.py
    redcap         records and the dictionary of their form   redcap.py
    bids           a data set for behavioural research        bids.py
    fhir           a bundle for clinical systems              fhir.py
    parquet        typed columns                              parquet.py
    sqlite         a database with the same tables            snapshot.py

What the columns mean is in one place for all of them: ``edge_fea.store.dictionary``. A missing
value is an empty cell, null, ``n/a`` or a stated absence, never zero. The running clip is left
out. The same clips give the same bytes, but for parquet and sqlite across versions of their
libraries.
"""

from edge_fea.clinic.export.bids import BIDS
from edge_fea.clinic.export.fhir import FHIR
from edge_fea.clinic.export.form import Extras, Format
from edge_fea.clinic.export.lines import JSONL
from edge_fea.clinic.export.parquet import PARQUET
from edge_fea.clinic.export.redcap import REDCAP
from edge_fea.clinic.export.snapshot import SQLITE
from edge_fea.clinic.export.tidy import CSV, CSV_ZIP
from edge_fea.clinic.export.writing import Exported, export_file, export_stream

__all__ = ["FORMATS", "Exported", "Extras", "Format", "export_file", "export_stream"]

FORMATS: dict[str, Format] = {
    form.name: form for form in (CSV, CSV_ZIP, JSONL, REDCAP, BIDS, FHIR, PARQUET, SQLITE)
}
"""All formats by name."""
