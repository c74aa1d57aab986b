"""Placing the camera: place."""

import sys
from collections import deque
from collections.abc import Iterator
from itertools import takewhile

import click

from edge_fea.capture.clock import Clock, SystemClock
from edge_fea.capture.frame import Frame
from edge_fea.capture.opening import open_source
from edge_fea.cli.context import Options, pass_options
from edge_fea.config import Settings
from edge_fea.config.layers import toml_value
from edge_fea.device.indicator import Indicator
from edge_fea.device.leaving import held, leave_at_once
from edge_fea.device.light_outputs import open_light
from edge_fea.device.lights import SIGN_OF_ADVICE
from edge_fea.device.placing import Advice, Look, advise, look_at, propose_zone
from edge_fea.device.session import load_classifier
from edge_fea.device.stopping import StopRequest
from edge_fea.errors import SourceStalled
from edge_fea.vision.observation import MEANINGS, Observation
from edge_fea.vision.observer import Observer

_WHOLE = (0.0, 0.0, 1.0, 1.0)
INTERRUPTED = 130


@click.command()
@click.option("--learn", is_flag=True, help="Watch, and propose the patient's zone.")
@click.option(
    "--seconds",
    type=click.FloatRange(5, 3600),
    default=60.0,
    show_default=True,
    help="How long to watch.",
)
@pass_options
def place(options: Options, learn: bool, seconds: float) -> None:
    """Tell once a second whether the patient's face can be used, and what to change.

    Nothing is stored. Ctrl-C ends it early. The exit code is 0 when the face could be used at the
    end, otherwise 1.

    With --learn, propose the patient's zone instead: where the face is that stays. Let the patient
    sit or lie as usual, alone in sight. The proposal is one line for the settings file; the exit
    code is 1 when no zone can be proposed.
    """
    settings = options.settings({"vision.zone": _WHOLE} if learn else None)
    stop = StopRequest()
    try:
        with stop.on_signals():
            (_learn if learn else _tell)(settings, seconds, stop)
    except SourceStalled as error:
        leave_at_once(error)


def _tell(settings: Settings, seconds: float, stop: StopRequest) -> None:
    looks: deque[Look] = deque(maxlen=1000)
    advice, told, began = Advice.WAIT, 0, 0.0
    for frame, observation, indicator in _watch(settings, seconds, stop):
        began = began if looks else frame.monotonic
        looks.append(look_at(frame.pixels, frame.monotonic, observation))
        advice = advise(looks)
        indicator.show(SIGN_OF_ADVICE[advice])
        if (passed := int(frame.monotonic - began)) >= told:
            click.echo(f"{passed:3d} s  {advice}")
            told = passed + 1
    click.echo(f"at the end: {advice}" if looks else "no picture came")
    if advice is not Advice.GOOD:
        sys.exit(1)


def _learn(settings: Settings, seconds: float, stop: StopRequest) -> None:
    size = (settings.capture.width, settings.capture.height)
    observations: list[Observation] = []
    looks: deque[Look] = deque(maxlen=1000)
    for frame, observation, indicator in _watch(settings, seconds, stop):
        size = (frame.pixels.shape[1], frame.pixels.shape[0])
        observations.append(observation)
        looks.append(look_at(frame.pixels, frame.monotonic, observation))
        indicator.show(SIGN_OF_ADVICE[advise(looks)])
    if stop.requested:
        click.echo("ended early: no zone is proposed")
        sys.exit(INTERRUPTED)
    proposal = propose_zone(observations, *size)
    for outcome, count in proposal.outcomes.most_common():
        click.echo(f"{count / proposal.outcomes.total():4.0%}  {MEANINGS[outcome]}")
    if proposal.zone is None:
        click.echo(f"no zone: {proposal.advice}")
        sys.exit(1)
    click.echo("for the settings file:")
    click.echo("[vision]")
    click.echo(f"zone = {toml_value(proposal.zone)}")


def _watch(
    settings: Settings, seconds: float, stop: StopRequest
) -> Iterator[tuple[Frame, Observation, Indicator]]:
    """The frames of so many seconds, observed, with the light on; until a stop is asked for."""
    clock: Clock = SystemClock()
    observer = Observer(settings.vision, load_classifier(settings))
    light = open_light(settings.indicator, lambda text: click.echo(f"edge-fea: {text}", err=True))
    with Indicator(light, clock, stale_s=settings.capture.timeout_s + 5.0) as indicator:
        indicator.start()
        with held(open_source(settings.capture, clock)) as source:
            frames = source.frames()
            first: list[float] = []

            def is_in_time(frame: Frame) -> bool:
                first[:] = first or [frame.monotonic]
                return frame.monotonic - first[0] < seconds

            waited = iter(lambda: stop.interruptible(lambda: next(frames, None)), None)
            for frame in takewhile(is_in_time, waited):
                observation = observer.observe(frame.pixels, frame.sequence, frame.monotonic)
                yield frame, observation, indicator
