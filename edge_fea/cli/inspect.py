"""Commands that look without recording: config, model, classify, dictionary."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import click

from edge_fea.capture.pictures import is_folder, pictures_in, read_grey
from edge_fea.cli.context import Options, pass_options
from edge_fea.config.layers import default_file, leaves, load, toml_value
from edge_fea.device.session import load_classifier
from edge_fea.emotions import LABELS
from edge_fea.errors import EdgeFeaError, NotFoundError
from edge_fea.store import dictionary as data_dictionary
from edge_fea.store.database import require_writable
from edge_fea.vision.classifier import Classifier
from edge_fea.vision.stills import StillClassifier, StillReading


@click.group(invoke_without_command=True)
@click.option("--default", "default", is_flag=True, help="Print the commented default file.")
@click.pass_context
def config(context: click.Context, default: bool) -> None:
    """Show the effective settings and where each comes from."""
    if context.invoked_subcommand is not None:
        return
    if default:
        click.echo(default_file(), nl=False)
        return
    loaded = context.obj.load()
    for key, value, _ in leaves(loaded.settings):
        click.echo(f"{key} = {toml_value(value)}  # {loaded.origin.get(key, 'default')}")


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
@pass_options
def check(options: Options, file: Path) -> None:
    """Check a settings FILE, and what it names: database folder, network, source's file.

    The global --database goes above what the file says, as it does when the device records.
    """
    settings = load(file, options.given(), environment=False).settings
    require_writable(settings.store.database)
    load_classifier(settings)
    path = settings.capture.path
    if path is not None and not (is_folder(path) or path.exists()):
        raise NotFoundError(f"capture.path: no such file or folder: {path}")
    click.echo(f"{file}: good")


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="For people, or for programs.",
)
@pass_options
def model(options: Options, form: str) -> None:
    """Show which network is loaded, and check that it computes what was measured."""
    classifier = load_classifier(options.settings())
    difference = classifier.self_check()
    if form == "json":
        click.echo(json.dumps(_model_record(classifier, difference), indent=1))
    else:
        click.echo(_model_page(classifier, difference))


def _model_record(classifier: Classifier, difference: float) -> dict[str, Any]:
    runtime = classifier.runtime
    return {
        "path": str(classifier.path),
        "runtime": {"package": runtime.package, "version": runtime.version},
        "self_check_difference": difference,
        "manifest": classifier.manifest.model_dump(mode="json", exclude={"self_check": {"input"}}),
    }


def _model_page(classifier: Classifier, difference: float) -> str:
    manifest, runtime = classifier.manifest, classifier.runtime
    rows = [
        ("network", f"{manifest.name}  {classifier.path}"),
        ("sha256", manifest.sha256),
        ("runtime", f"{runtime.package} {runtime.version}"),
        (
            "input",
            f"{manifest.input.size} x {manifest.input.size} grey, uint8"
            f"{', read as it is and mirrored' if manifest.input.mirrored else ''}",
        ),
        ("labels", ", ".join(manifest.labels)),
        (
            "size",
            f"{manifest.parameters:,} parameters, "
            f"{manifest.multiply_accumulates / 1e6:.0f} M multiply-accumulates",
        ),
        ("temperature", f"{manifest.temperature:.3f}"),
    ]
    if manifest.face_check is not None:
        face = manifest.face_check
        text = (
            f"P(face) >= {face.threshold:.3f}: lets {face.false_accept:.1%} of "
            f"{face.false_boxes} false boxes through, refuses {face.false_reject:.1%} of "
            f"{face.true_faces} faces"
        )
        rows.append(("face check", text))
    for figure in manifest.figures:
        interval = "" if figure.low is None else f" ({figure.low:.3f} to {figure.high:.3f})"
        rows.append(("measured", f"{figure.data}, {figure.measure}: {figure.value:.3f}{interval}"))
    allowed = manifest.self_check.tolerance
    rows.append(("terms", manifest.terms))
    rows.append(("self-check", f"passed: differs by {difference:.4f}, allowed {allowed}"))
    return "\n".join(f"{name:12} {text}" for name, text in rows)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "csv"]),
    default="json",
    help="How records are written.",
)
@click.option(
    "--no-detect",
    is_flag=True,
    help="Take each picture for a face crop as it is, framed like a Haar box.",
)
@pass_options
def classify(options: Options, paths: tuple[Path, ...], form: str, no_detect: bool) -> None:
    """Classify pictures: PATHS are files, or folders that are searched.

    One record a picture: path, outcome (what the device would have recorded), box (x, y, width,
    height), p_face, and the seven probabilities of every face found, whatever the outcome. The
    JSON is one array with a record a line. A picture that cannot be read has the outcome
    unreadable, is reported, and makes the exit code 65.
    """
    settings = options.settings()
    stills = StillClassifier(settings.vision, load_classifier(settings))
    files = [file for path in paths for file in (pictures_in(path) if is_folder(path) else [path])]
    write = _CsvRecords() if form == "csv" else _JsonRecords()
    failures: list[EdgeFeaError] = []
    for file in files:
        try:
            write.record(_record(file, stills.read(read_grey(file), detect=not no_detect)))
        except EdgeFeaError as error:
            click.echo(f"edge-fea: {error}", err=True)
            failures.append(error)
            write.record(_unreadable(file))
    write.end()
    if failures:
        sys.exit(failures[0].exit_code)


def _record(file: Path, still: StillReading) -> dict[str, Any]:
    reading = still.reading
    return {
        "path": str(file),
        "outcome": str(still.outcome),
        "box": list(still.box) if still.box else None,
        "p_face": round(reading.face, 6) if reading and reading.face is not None else None,
        "probabilities": {
            label: round(float(value), 6)
            for label, value in zip(LABELS, reading.probabilities, strict=True)
        }
        if reading
        else None,
    }


def _unreadable(file: Path) -> dict[str, Any]:
    return {
        "path": str(file),
        "outcome": "unreadable",
        "box": None,
        "p_face": None,
        "probabilities": None,
    }


class _JsonRecords:
    def __init__(self) -> None:
        self._before = "[\n"

    def record(self, record: dict[str, Any]) -> None:
        click.echo(self._before + json.dumps(record), nl=False)
        self._before = ",\n"

    def end(self) -> None:
        click.echo("\n]")


class _CsvRecords:
    _BOX = ("box_x", "box_y", "box_width", "box_height")

    def __init__(self) -> None:
        columns = ["path", "outcome", *self._BOX, "p_face", *LABELS]
        self._writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        self._writer.writeheader()

    def record(self, record: dict[str, Any]) -> None:
        box = dict(zip(self._BOX, record["box"] or (), strict=False))
        kept = {key: record[key] for key in ("path", "outcome", "p_face")}
        self._writer.writerow({**kept, **box, **(record["probabilities"] or {})})

    def end(self) -> None:
        sys.stdout.flush()


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "csv", "json"]),
    default="markdown",
    show_default=True,
    help="How the dictionary is written.",
)
def dictionary(form: str) -> None:
    """Print the data dictionary: every column of every table."""
    records = data_dictionary.records()
    if form == "markdown":
        click.echo(data_dictionary.markdown(), nl=False)
    elif form == "json":
        click.echo(json.dumps(records, indent=1))
    else:
        writer = csv.DictWriter(sys.stdout, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
