"""What the training commands accept, and how they refuse the rest: in a line, with exit code 2."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_fea.emotions import LABELS
from edge_fea.errors import EdgeFeaError
from models.training.data import FOLDS, REPOSITORY

FOLD_NAMES = (*map(str, range(FOLDS)), "none")


def folder(text: str) -> Path:
    """A folder that is there."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"no folder {text}")
    return Path(text)


def file(text: str) -> Path:
    """A file that is there."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"no file {text}")
    return Path(text)


def outside(text: str) -> Path:
    """A folder, there or not, outside the repository: crops and runs have no place in it."""
    if Path(text).resolve().is_relative_to(REPOSITORY):
        raise argparse.ArgumentTypeError(f"{text} lies inside the repository: name one elsewhere")
    return Path(text)


def widths(text: str) -> tuple[int, ...]:
    """Filters of the convolutions, such as 32,64,96."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"whole numbers such as 32,64,96, not {text!r}")
    return tuple(int(part) for part in parts)


def folds(text: str) -> tuple[int, ...]:
    """Folds such as 0,1,4."""
    parts = text.split(",")
    if not set(parts) <= set(FOLD_NAMES[:-1]):
        raise argparse.ArgumentTypeError(f"of 0 to {FOLDS - 1}, such as 0,2, not {text!r}")
    return tuple(int(part) for part in parts)


def classes(text: str) -> tuple[str, ...]:
    """Two labels or more of the seven, such as happy,sad."""
    found = tuple(text.split(","))
    if not set(found) <= set(LABELS) or len(set(found)) != len(found) or len(found) < 2:
        raise argparse.ArgumentTypeError(f"two or more of {','.join(LABELS)}, not {text!r}")
    return found


def share(text: str) -> tuple[str, float]:
    """NAME=WEIGHT: a source, and a number of 0 or more."""
    name, _, value = text.partition("=")
    try:
        weight = float(value)
    except ValueError:
        weight = -1.0
    if not name or not 0 <= weight < float("inf"):
        raise argparse.ArgumentTypeError(f"NAME=WEIGHT such as kdef=0.3, not {text!r}")
    return name, weight


def named_folder(text: str) -> tuple[str, Path]:
    """NAME=PATH: a name of one's own, and a folder that is there."""
    name, _, path = text.partition("=")
    if not name or not path:
        raise argparse.ArgumentTypeError(f"NAME=PATH, not {text!r}")
    return name, folder(path).resolve()


@contextmanager
def refusing(parser: argparse.ArgumentParser) -> Iterator[None]:
    """Ends the command with a message where what it was given cannot be read.

    Around reading only: an error in the work itself keeps its traceback.
    """
    try:
        yield
    except (OSError, ValueError, EdgeFeaError) as error:
        parser.error(str(error))
