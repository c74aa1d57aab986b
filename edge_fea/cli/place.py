"""Placing the camera: place."""

import sys
from itertools import takewhile

import click

from edge_fea.capture.clock import SystemClock
from edge_fea.capture.frame import Frame
from edge_fea.capture.opening import open_source
from edge_fea.cli.context import Options, pass_options
from edge_fea.config.layers import toml_value
from edge_fea.device.placing import propose_zone
from edge_fea.device.session import load_classifier
from edge_fea.vision.observation import MEANINGS
from edge_fea.vision.observer import Observer

_WHOLE = (0.0, 0.0, 1.0, 1.0)


@click.command()
@click.option("--learn", is_flag=True, required=True, help="Watch, and propose the zone.")
@click.option(
    "--seconds",
    type=click.FloatRange(5, 600),
    default=60.0,
    show_default=True,
    help="How long to watch.",
)
@pass_options
def place(options: Options, learn: bool, seconds: float) -> None:
    """Propose the patient's zone: where the face is that stays. Nothing is stored.

    Let the patient sit or lie as usual, alone in sight. The proposal is one line for the settings
    file. The exit code is 1 when no zone can be proposed.
    """
    del learn
    settings = options.settings({"vision.zone": _WHOLE})
    classifier = load_classifier(settings)
    observer = Observer(settings.vision, classifier)
    clock = SystemClock()
    size = (settings.capture.width, settings.capture.height)
    observations = []
    with open_source(settings.capture, clock) as source:
        first: list[float] = []

        def is_in_time(frame: Frame) -> bool:
            first[:] = first or [frame.monotonic]
            return frame.monotonic - first[0] < seconds

        for frame in takewhile(is_in_time, source.frames()):
            size = (frame.pixels.shape[1], frame.pixels.shape[0])
            observations.append(observer.observe(frame.pixels, frame.sequence, frame.monotonic))
    proposal = propose_zone(observations, *size)
    for outcome, count in proposal.outcomes.most_common():
        click.echo(f"{count / proposal.outcomes.total():4.0%}  {MEANINGS[outcome]}")
    if proposal.zone is None:
        click.echo(f"no zone: {proposal.advice}")
        sys.exit(1)
    click.echo("for the settings file:")
    click.echo("[vision]")
    click.echo(f"zone = {toml_value(proposal.zone)}")
