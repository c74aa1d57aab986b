"""Where the network looks, on a picture that the user names: explain."""

from pathlib import Path
from typing import BinaryIO

import click
import cv2

from edge_fea.capture.pictures import read_grey
from edge_fea.cli.context import Options, pass_options
from edge_fea.clinic.outlet import refuse_taken, write_whole
from edge_fea.device.session import load_classifier
from edge_fea.emotions import LABELS
from edge_fea.vision.attention import attention_over, draw
from edge_fea.vision.stills import StillClassifier


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.png",
    help="The picture to write; a file that is there already is left as it is.",
)
@click.option(
    "--no-detect",
    is_flag=True,
    help="Take the picture for a face crop as it is, framed like a Haar box.",
)
@pass_options
def explain(options: Options, image: Path, output: Path, no_detect: bool) -> None:
    """Draw where the network looks on the face in IMAGE.

    Beside the face stands the face under the network's spatial attention map: red where it weighs
    most, blue where least. The written picture shows a face, and is yours to guard or to delete;
    nothing else is kept. The map is coarse, and each of its places sees most of the face: it tells
    what the network weighs more, not why it decides as it does.
    """
    if output.suffix.lower() != ".png":
        raise click.BadParameter(f"{output} must end in .png", param_hint="--output")
    refuse_taken(output)
    settings = options.settings()
    classifier = load_classifier(settings)
    picture = read_grey(image)
    still = StillClassifier(settings.vision, classifier).read(picture, detect=not no_detect)
    attention = attention_over(picture, still, classifier)
    _, encoded = cv2.imencode(".png", draw(picture, still, attention))

    def write(file: BinaryIO) -> None:
        file.write(encoded.tobytes())

    write_whole(output, write)
    if still.reading is not None:
        strongest = int(still.reading.probabilities.argmax())
        click.echo(f"read as {LABELS[strongest]}, {still.reading.probabilities[strongest]:.0%}")
    height, width = attention.shape
    click.echo(
        f"attention over {width} x {height} places: {attention.min():.2f} (blue) to "
        f"{attention.max():.2f} (red)"
    )
    click.echo(f"{output} shows a face: guard it as you guard {image}, or delete it")
