"""Commands that record: run, demo, analyze."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from edge_fea.capture.clock import Clock, SystemClock
from edge_fea.capture.demo import ZONE, DemoSource
from edge_fea.capture.opening import open_source
from edge_fea.capture.pictures import PictureFolder, is_folder
from edge_fea.capture.video import VideoFile
from edge_fea.cli.context import Options, pass_options
from edge_fea.cli.formats import FORMAT_OPTION, MOMENT, clip_line, describe, echo_clips
from edge_fea.config import Settings
from edge_fea.device.leaving import held, leave_at_once
from edge_fea.device.service import Service
from edge_fea.device.session import Session, file_seed
from edge_fea.device.stopping import StopRequest
from edge_fea.errors import ConfigError, EdgeFeaError, SourceStalled, StoreError
from edge_fea.store.rows import Row, row_of

# What shells give for a command that Ctrl-C has ended.
INTERRUPTED = 130

log = logging.getLogger("edge_fea")


@click.command()
@pass_options
def run(options: Options) -> None:
    """Record the camera until stopped (the service's loop, in the foreground).

    SIGTERM or Ctrl-C closes the running clip and ends with 0. A camera that stalls closes it too
    and ends with 75, for the service manager to start afresh.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    settings, wrong = Settings(), None
    try:
        settings = options.settings()
    except ConfigError as error:
        wrong = error  # raised by the service, once the light has shown it
    clock, stop = SystemClock(), StopRequest()
    try:
        with stop.on_signals(), Service(settings, clock, wrong) as service:
            if service.wait_until_due(stop):
                _record_live(settings, clock, service, stop)
    except SourceStalled as error:
        leave_at_once(error)


def _record_live(settings: Settings, clock: Clock, service: Service, stop: StopRequest) -> None:
    with service.opening():
        session = Session(settings, clock)
    with session:
        _tell_what_was_mended(session, log.warning)
        recorder = session.live(
            lambda clip: log.info("%s", clip_line(row_of(clip))),
            service.troubled,
            paused=service.paused,
            recorded=service.recorded,
            observed=service.observed,
            progress=service.progress,
        )
        if behind := session.clock.behind():
            log.warning(
                "the clock is %.0f s behind what was recorded before this boot: going on from "
                "there until it is set (docs/clock.md)",
                behind.total_seconds(),
            )
        if stop.requested:
            return
        camera = open_source(settings.capture, session.clock)
        with held(camera, opening=stop.at_once()) as source:
            log.info("watching %s", settings.capture.source)
            recorder.record(source, stop)
            service.ended()


@click.command()
@pass_options
def demo(options: Options) -> None:
    """Record a staged video in which every outcome occurs, and show its clips.

    Into ./edge-fea-demo.db unless --database names another file. The portrait is a public-domain
    photograph from scikit-image; no camera is needed.
    """
    database = options.database or Path("edge-fea-demo.db")
    settings = Options(options.config_file, database).settings(
        {"vision.zone": ZONE, "device.patient": "demo"}
    )
    clock = SystemClock()
    source = DemoSource(settings.capture.frame_rate, clock.now())
    rows: list[Row] = []
    stop = StopRequest()
    with stop.on_signals(), Session(settings, clock) as session:
        _record_file(session, source, "demo", "staged video", rows, stop, paused=source.is_paused)
    for row in rows:
        click.echo(describe(row))
    click.echo(f"database: {database.absolute()}")
    if stop.requested:
        sys.exit(INTERRUPTED)


@click.command()
@click.argument("videos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--recorded-at",
    type=MOMENT,
    help="When the first frame was taken (ISO 8601). Default: the file's modification time.",
)
@click.option("--patient", help="Pseudonym, above the settings' device.patient.")
@click.option("--real-time", is_flag=True, help="Read at the pace of the recording.")
@FORMAT_OPTION
@pass_options
def analyze(
    options: Options,
    videos: tuple[Path, ...],
    recorded_at: datetime | None,
    patient: str | None,
    real_time: bool,
    form: str,
) -> None:
    """Summarise recorded VIDEOS (or folders of pictures) as the device would have.

    The same file gives the same clips: doing it twice changes nothing. A file that cannot be read
    is reported, the others are still done, and the exit code is that of the first failure. Ctrl-C
    keeps what was read until then and ends with 130.
    """
    settings = options.settings({"device.patient": patient})
    clock = SystemClock()
    rows: list[Row] = []
    failures: list[EdgeFeaError] = []
    stop = StopRequest()
    with stop.on_signals(), Session(settings, clock) as session:
        _tell_what_was_mended(session, lambda text: click.echo(f"edge-fea: {text}", err=True))
        for path in videos:
            if stop.requested:
                break
            try:
                kind = "pictures" if is_folder(path) else "video"
                source = _open_recorded(path, settings, clock, recorded_at, real_time)
                _record_file(session, source, kind, path.name, rows, stop, path)
            except EdgeFeaError as error:
                click.echo(f"edge-fea: {error}", err=True)
                failures.append(error)
                if isinstance(error, StoreError):
                    break
    echo_clips(rows, form)
    if stop.requested:
        sys.exit(INTERRUPTED)
    if failures:
        sys.exit(failures[0].exit_code)


def _open_recorded(
    path: Path, settings: Settings, clock: Clock, recorded_at: datetime | None, real_time: bool
) -> VideoFile | PictureFolder:
    rate = settings.capture.frame_rate
    if is_folder(path):
        return PictureFolder(path, rate, recorded_at=recorded_at)
    return VideoFile(path, rate, clock, recorded_at=recorded_at, real_time=real_time)


def _record_file(
    session: Session,
    source: VideoFile | PictureFolder | DemoSource,
    kind: str,
    title: str,
    rows: list[Row],
    stop: StopRequest,
    path: Path | None = None,
    paused: Callable[[float], bool] = lambda _: False,
) -> None:
    """Record to the end of ``source``, with a progress bar on a terminal; the clips go to ``rows``.

    They do so too when the recording ends with an error: what was read until there is kept.
    """
    seed = file_seed(path, source.recorded_at) if path else source.recorded_at.isoformat().encode()
    with source, _progress(title, source.duration) as progress:
        recorder = session.recorded(kind, seed=seed, progress=progress, paused=paused)
        try:
            recorder.record(source, stop)
        finally:
            rows += [row_of(clip) for clip in recorder.clips]


@contextmanager
def _progress(title: str, duration: float) -> Iterator[Callable[[float], None]]:
    with click.progressbar(
        length=max(1, round(duration)), label=title, file=sys.stderr, show_eta=True
    ) as bar:
        yield lambda monotonic: bar.update(max(0, int(monotonic) - bar.pos))


def _tell_what_was_mended(session: Session, tell: Callable[[str], None]) -> None:
    opened = session.store.opened
    if opened.rescue is not None:
        tell(str(opened.rescue))
    if opened.backup is not None:
        tell(f"the database was brought up to date; its former state is {opened.backup}")
    for clip_id in session.store.closed_after_power_loss:
        tell(f"clip {clip_id} had been left open: closed as power_loss")
    former = session.network_before()
    if former is not None:
        tell(f"the network has changed (it was {former[:12]}): the baseline is begun anew")
