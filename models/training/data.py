"""Crops with labels: what the readers give, de-duplicated, split and cached.

The pictures themselves stay where their owners' terms leave them, outside the repository: in
``../shared/data`` or the folder that EDGE_FEA_DATA names.
"""

import hashlib
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge_fea.emotions import LABELS

Picture = npt.NDArray[np.uint8]
"""Grey (height, width), or red, green and blue (height, width, 3), uint8."""

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDS = 5
MAJORITY = "majority"
"""The group of a FER+ picture on whose label more than half of the raters agree."""


def data_folder() -> Path:
    """Where the data lie: EDGE_FEA_DATA, else ``../shared/data`` beside the repository."""
    named = os.environ.get("EDGE_FEA_DATA", "../shared/data")
    return (REPOSITORY / named).resolve()


@dataclass(frozen=True)
class Crops:
    """Face pictures and what is known of them.

    ``images`` uint8 (n, side, side), grey, as the device sees; or (n, side, side, 3), red, green
    and blue, for comparison. ``margin`` is how much they show around the face box, as a
    share of the box's side on each side: 0 is what the device crops, more leaves room for
    augmentation to shift and turn. ``targets`` float32 (n, 7): probabilities of the labels, each
    row's sum 1. ``people`` names the person where known (else ""); ``groups`` is free: the view
    for KDEF ("frontal" or "half"), MAJORITY or "" for FER+.
    """

    images: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.float32]
    people: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    margin: float = 0.0

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The most likely label of each, an index into LABELS."""
        return np.asarray(self.targets.argmax(axis=1), np.int64)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Crops":
        """Some of the crops, by mask or index."""
        return replace(
            self,
            images=self.images[chosen],
            targets=self.targets[chosen],
            people=self.people[chosen],
            groups=self.groups[chosen],
        )

    def shrunk(self, size: int) -> "Crops":
        """Reduced so that the face box covers ``size`` pixels; never enlarged.

        Averages over areas, so that the later warp, which interpolates, does not alias.
        """
        side = round(size * (1 + 2 * self.margin))
        if self.images.shape[1] <= side:
            return self
        reduced = [cv2.resize(i, (side, side), interpolation=cv2.INTER_AREA) for i in self.images]
        return replace(self, images=np.stack(reduced))


def as_input(images: npt.NDArray[np.uint8], channels: int = 1) -> npt.NDArray[np.uint8]:
    """Pictures (n, side, side), or (n, side, side, 3), as a network's (n, side, side, channels).

    Grey goes into a network for colour three times over. Raises ValueError for colour that should
    go into one channel.
    """
    stacked = images if images.ndim == 4 else images[..., None]
    if stacked.shape[3] == 1 < channels:
        stacked = np.repeat(stacked, channels, axis=3)
    if stacked.shape[3] != channels:
        raise ValueError(f"pictures of {stacked.shape[3]} channels for a network of {channels}")
    return stacked


def collect(
    images: Sequence[Picture],
    targets: Sequence[npt.NDArray[np.float32]],
    people: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    margin: float = 0.0,
) -> Crops:
    """Crops from lists of equal length; people and groups default to unknown."""
    unknown = [""] * len(images)
    return Crops(
        np.stack(images).astype(np.uint8),
        np.stack(targets).astype(np.float32),
        np.asarray(people if people is not None else unknown),
        np.asarray(groups if groups is not None else unknown),
        margin,
    )


def one_hot(label: str) -> npt.NDArray[np.float32]:
    """The target of a picture that carries one label."""
    target = np.zeros(len(LABELS), np.float32)
    target[LABELS.index(label)] = 1.0
    return target


def pixel_hashes(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.str_]:
    """One hash for each picture, equal where all pixels are equal."""
    return np.asarray([hashlib.blake2b(i.tobytes(), digest_size=16).hexdigest() for i in images])


def without_duplicates(crops: Crops, held_out: Crops | None = None) -> Crops:
    """Drop exact repetitions (the first stays), and whatever ``held_out`` holds too.

    FER2013 has some 1,500 groups of equal pictures, a few with one half in train and the other
    in valid: the held-out half stays, or the validation would measure memory.
    """
    hashes = pixel_hashes(crops.images)
    seen = set() if held_out is None else set(pixel_hashes(held_out.images).tolist())
    keep = np.zeros(len(crops), bool)
    for place, value in enumerate(hashes.tolist()):
        keep[place] = value not in seen
        seen.add(value)
    return crops.take(keep)


def fold_of(people: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """The fold, 0 to 4, of each person named like KDEF's F01 or M30.

    Women and men are each dealt out in turn, in the order of their names: folds are of equal
    size, balanced by sex, and the same on every machine.
    """
    names = sorted(set(people.tolist()))
    fold: dict[str, int] = {}
    for first in sorted({name[:1] for name in names}):
        same = [name for name in names if name[:1] == first]
        fold.update({name: place % FOLDS for place, name in enumerate(same)})
    return np.asarray([fold[name] for name in people.tolist()], np.int64)


def share_of(people: npt.NDArray[np.str_], percent: int) -> npt.NDArray[np.bool_]:
    """A mask that picks about ``percent`` of the people, always the same, by their names' hash."""
    return np.asarray([zlib.crc32(name.encode()) % 100 < percent for name in people.tolist()])


def half_of(people: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """A mask (n,) of about half of the people, always the same; a picture of nobody known is one.

    For what is chosen on some of those held out and measured on the others. Another lot than
    ``share_of``'s, which has chosen who is held out.
    """
    names = np.where(people == "", picture_names(len(people)), people)
    return share_of(np.char.add("half of ", names), 50)


def picture_names(count: int) -> npt.NDArray[np.str_]:
    """Names (count,) for pictures of nobody known, so that one that comes again is known again."""
    return np.asarray([f"#{place:09d}" for place in range(count)])


def cached(folder: Path | None, name: str, source: Path, make: Callable[[], Crops]) -> Crops:
    """What ``make`` gives of the files in ``source``, kept as ``name``.npz in ``folder``.

    Made afresh where the files' names or sizes are others than then. ``folder`` must lie outside
    the repository, where crops of people's faces have no place.

    Raises ValueError for such a folder, FileNotFoundError where there is no ``source``.
    """
    if folder is None:
        return make()
    if folder.resolve().is_relative_to(REPOSITORY):
        raise ValueError(f"the cache {folder} lies inside the repository: name a folder elsewhere")
    files = listing(source)
    file = folder / f"{name}.npz"
    if file.is_file():
        with np.load(file) as stored:
            if str(stored.get("files", "")) != files:
                return _kept(file, files, make())
            return Crops(
                stored["images"],
                stored["targets"],
                stored["people"],
                stored["groups"],
                float(stored["margin"]),
            )
    return _kept(file, files, make())


def listing(source: Path) -> str:
    """A fingerprint of the names and sizes of all files below ``source``.

    Raises FileNotFoundError saying where data are looked for.
    """
    if not source.is_dir():
        raise FileNotFoundError(f"no folder {source}: EDGE_FEA_DATA names the one with the data")
    rows = [
        f"{each.relative_to(source)} {each.stat().st_size}"
        for each in sorted(source.rglob("*"))
        if each.is_file()
    ]
    return hashlib.blake2b("\n".join(rows).encode(), digest_size=16).hexdigest()


def _kept(file: Path, files: str, crops: Crops) -> Crops:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npz")
    np.savez(
        partial,
        images=crops.images,
        targets=crops.targets,
        people=crops.people,
        groups=crops.groups,
        margin=crops.margin,
        files=files,
    )
    partial.replace(file)
    return crops
