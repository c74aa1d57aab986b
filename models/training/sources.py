"""The pictures of a training run: which to learn from, and which to measure on."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.training import readers
from models.training.data import (
    Crops,
    as_input,
    cached,
    data_folder,
    fold_of,
    share_of,
    without_duplicates,
)

STANDARD = ("kdef", "ferplus", "lfw")
"""The sources that EDGE_FEA_DATA holds."""
CONTEXT = 0.2
"""How much surroundings training crops keep on each side, for shifts and turns to show."""
STORED = 148
HELD_OUT = 10
"""Percent of the people of LFW, and of one's own pictures, who are kept for validation."""

READERS = {"folder": readers.read_folder, "ravdess": readers.read_ravdess}
"""How one's own pictures are read, by the option that names them."""

Sources = dict[str, Crops]


def load(
    names: set[str], fold: str, cache: Path | None, channels: int = 1
) -> tuple[Sources, Sources]:
    """The named standard sources for training, and the crops to validate on.

    Validation holds "ferplus" (its valid part) and "lfw" (a tenth of its people) wherever they are
    there, and, where a fold of KDEF is held out, "frontal" and "half" (as the device would crop
    it). Of these KDEF alone has colours, for three ``channels``.

    Raises FileNotFoundError where a named source is not there.
    """
    hue = "" if channels == 1 else "-rgb"
    data = data_folder()
    ferplus, faces, kdef = (data / name for name in ("ferplus", "lfw_expressions", "kdef"))
    train: Sources = {}
    valid: Sources = {}
    if "ferplus" in names:
        train["ferplus"] = cached(
            cache, "ferplus-train", ferplus, lambda: readers.read_ferplus(ferplus, "train")
        )
    if "ferplus" in names or ferplus.is_dir():
        valid["ferplus"] = cached(
            cache, "ferplus-valid", ferplus, lambda: readers.read_ferplus(ferplus, "valid")
        )
    if "lfw" in names or faces.is_dir():
        lfw = cached(cache, "lfw", faces, lambda: readers.read_lfw(faces))
        held = share_of(lfw.people, HELD_OUT)
        valid["lfw"] = lfw.take(held)
        if "lfw" in names:
            train["lfw"] = lfw.take(~held)
    if "kdef" in names:
        everybody = cached(
            cache,
            f"kdef-train-{STORED}{hue}",
            kdef,
            lambda: readers.read_kdef(kdef, STORED, CONTEXT, True, channels),
        )
        if fold == "none":
            train["kdef"] = everybody
        else:
            train["kdef"] = everybody.take(fold_of(everybody.people) != int(fold))
            # Cut afresh from the pictures: what the device's own search finds in them.
            device = cached(
                cache,
                f"kdef-searched-{STORED}{hue}",
                kdef,
                lambda: readers.read_kdef(kdef, STORED, 0, channels=channels),
            )
            device = device.take(fold_of(device.people) == int(fold))
            for group in ("frontal", "half"):
                valid[group] = device.take(device.groups == group)
    return train, valid


def add_own(
    train: Sources, valid: Sources, folders: Mapping[str, tuple[str, Path]], channels: int = 1
) -> None:
    """Add one's own pictures to both; ``folders`` gives a key of READERS and a path by name."""
    for name, (kind, path) in folders.items():
        crops = without_duplicates(READERS[kind](path, STORED, CONTEXT, True, channels))
        held = own_held_out(crops)
        train[name], valid[name] = crops.take(~held), crops.take(held)


def of_run(run: Mapping[str, Any], cache: Path | None) -> tuple[Sources, Sources]:
    """What the run of a stage's run.json has learnt from, and what it has not seen."""
    folders = {name: (kind, Path(path)) for name, (kind, path) in run["folders"].items()}
    names = set(run["sources"]) - set(folders)
    channels = int(run["network"]["channels"])
    train, valid = load(names, run["fold"], cache, channels)
    add_own(train, valid, folders, channels)
    return train, valid


def own_held_out(crops: Crops) -> npt.NDArray[np.bool_]:
    """A mask of a tenth of one's own people, or of the files where no person is known.

    At least one, but nobody of fewer than three.
    """
    people = np.where(crops.people == "", crops.groups, crops.people)
    # By lot, and the same lot every time.
    names = sorted(set(people.tolist()), key=lambda name: zlib.crc32(name.encode()))
    count = max(1, len(names) * HELD_OUT // 100) if len(names) > 2 else 0
    return np.isin(people, names[:count])


def device_crops(crops: Crops, size: int, channels: int = 1) -> npt.NDArray[np.uint8]:
    """The crops as the device gives them: uint8 (n, size, size, channels), without the margin."""
    side = crops.images.shape[1]
    border = round(side * crops.margin / (1 + 2 * crops.margin))
    inner = crops.images[:, border : side - border, border : side - border]
    return as_input(np.stack([readers.whole(image, size) for image in inner]), channels)
