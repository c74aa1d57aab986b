"""Readers: one function for each source of labelled faces.

Every face is found and cut out by the device's own code (``edge_fea.vision``), so that the network
meets in training what it will meet at work. ``channels`` is 1 for luma, what the device reads, or 3
for red, green and blue, to measure what colour would add; faces are found in luma either way.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge_fea.config import VisionSettings
from edge_fea.emotions import LABELS
from edge_fea.vision.faces import HaarDetector
from edge_fea.vision.geometry import Box, Grey, face_crop
from edge_fea.vision.stills import still_detector
from models.training.data import MAJORITY, Crops, Picture, collect, one_hot, without_duplicates

KDEF_LABELS = {
    "AN": "angry", "DI": "disgust", "AF": "fear", "HA": "happy",
    "SA": "sad", "SU": "surprise", "NE": "neutral",
}  # fmt: skip
KDEF_NAME = re.compile(r"^[AB]([FM]\d\d)([A-Z]{2})(S|HL|HR)\.jpe?g$", re.IGNORECASE)

LFW_LABELS = {
    "anger": "angry", "disgust": "disgust", "fear": "fear", "happiness": "happy",
    "sadness": "sad", "surprise": "surprise", "neutral": "neutral",
}  # fmt: skip

FERPLUS_VOTES = (
    "neutral", "happy", "surprise", "sad", "angry", "disgust", "fear",
    "contempt", "unknown", "not a face",
)  # fmt: skip

# Third field of a RAVDESS file name; 02 is "calm", which is none of the seven.
RAVDESS_LABELS = {
    "01": "neutral", "03": "happy", "04": "sad", "05": "angry", "06": "fear",
    "07": "disgust", "08": "surprise",
}  # fmt: skip
FRAME_SKIP = 20
"""Every how many frames of a film one is taken, as in the paper."""

# What folders of labelled pictures are commonly called.
FOLDER_LABELS = {
    **{label: label for label in LABELS},
    **LFW_LABELS,
    **{code.lower(): label for code, label in KDEF_LABELS.items()},
    "angriness": "angry", "disgusted": "disgust", "fearful": "fear", "afraid": "fear",
    "surprised": "surprise",
}  # fmt: skip
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm"}
FILMS = {".mp4", ".avi", ".mov", ".mkv", ".webm"}


class FaceFinder:
    """The largest face in a picture: by the device's own detector, with its default settings.

    ``thorough`` takes finer steps, and still finer ones where nothing was found: for training,
    where a half profile that the device would miss still teaches; never for measuring.
    """

    def __init__(self, thorough: bool = False) -> None:
        self.searched = 0
        """How many pictures were searched."""
        self._detectors = [still_detector(VisionSettings())]
        if thorough:
            self._detectors = [
                HaarDetector(60, scale_step=1.1, neighbours=5),
                HaarDetector(60, scale_step=1.04, neighbours=2),
            ]

    def __call__(self, picture: Grey) -> Box | None:
        """The box, or None."""
        self.searched += 1
        for detector in self._detectors:
            boxes = detector.search(picture)
            if boxes:
                return boxes[0]
        return None


def read_grey(file: Path) -> Grey:
    """A picture file as grey, by OpenCV's luma. Raises ValueError where it is no picture."""
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise ValueError(f"{file} is not a picture that OpenCV reads")
    return np.asarray(picture, np.uint8)


def read_picture(file: Path, channels: int = 1) -> Picture:
    """A picture file as luma, or with three ``channels`` in colour.

    Raises ValueError where it is no picture.
    """
    if channels == 1:
        return read_grey(file)
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{file} is not a picture that OpenCV reads")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def cut_face(picture: Picture, box: Box, size: int, margin: float = 0.0) -> Picture:
    """The device's crop, uint8 (size, size); of a picture in colour each channel's, stacked."""
    if picture.ndim == 2:
        return face_crop(picture, box, size, margin)
    return np.stack(
        [face_crop(plane, box, size, margin) for plane in np.moveaxis(picture, 2, 0)], -1
    )


def read_kdef(
    folder: Path, size: int, margin: float, thorough: bool = False, channels: int = 1
) -> Crops:
    """KDEF: posed, by known people. ``groups`` is "frontal" or "half" (profile)."""
    finder = FaceFinder(thorough=thorough)
    rows = []
    for file in sorted(folder.iterdir()):
        match = KDEF_NAME.match(file.name)
        if match is None:
            continue
        person, code, view = (part.upper() for part in match.groups())
        crop = _crop(finder, read_grey(file), read_picture(file, channels), size, margin)
        if crop is not None:
            group = "frontal" if view == "S" else "half"
            rows.append((crop, one_hot(KDEF_LABELS[code]), person, group))
    return _rows(rows, folder, margin, finder)


def read_ferplus(folder: Path, part: str) -> Crops:
    """FER2013 with FER+ votes as soft labels; ``part`` is "train" or "valid"; 48 pixels each.

    Only pictures whose first choice is one of the seven labels. The votes for the other answers,
    and votes that a single rater of the ten gave, are left out of the target; the rest is made to
    sum to 1 (Barsoum et al. 2016 drop single votes too). ``groups`` is MAJORITY where the first
    choice has more than half of all votes but single ones, which is the rule of FER+ itself for
    its majority labels; else "". Train is free of repetitions and of whatever valid holds.
    """
    crops = _ferplus(folder, part)
    if part == "valid":
        return without_duplicates(crops)
    return without_duplicates(crops, held_out=_ferplus(folder, "valid"))


def _ferplus(folder: Path, part: str) -> Crops:
    with np.load(folder / f"{part}.npz") as stored:
        images, votes = stored["images"], stored["votes"].astype(np.float32)
    usable = np.isin(votes.argmax(axis=1), [FERPLUS_VOTES.index(label) for label in LABELS])
    seven = votes[usable][:, [FERPLUS_VOTES.index(label) for label in LABELS]]
    agreed = np.where(seven > 1, seven, 0)
    # A picture on which nobody agreed keeps its single votes.
    agreed = np.where(agreed.sum(axis=1, keepdims=True) > 0, agreed, seven)
    targets = agreed / agreed.sum(axis=1, keepdims=True)
    kept = np.where(votes[usable] > 1, votes[usable], 0)
    sure = kept.max(axis=1) > 0.5 * kept.sum(axis=1)
    return Crops(
        images[usable],
        targets.astype(np.float32),
        np.full(len(targets), ""),
        np.where(sure, MAJORITY, ""),
    )


def read_lfw(folder: Path) -> Crops:
    """LFW press photographs with students' labels, whole: 176 pixels each.

    Said to show Haar's box and 20 % more on each side; but OpenCV's Haar, run on them, finds a
    box of 172 pixels in the middle (median; the same as on FER+ pictures enlarged to 176), and
    they look like KDEF's boxes. So they are taken as boxes without a margin.
    """
    rows = []
    for file in sorted(folder.glob("*/*.jpg")):
        label = LFW_LABELS.get(file.parent.name)
        picture = read_grey(file)
        # At the edge of a photograph the margin is cut off and the face no longer in the middle.
        if label is None or picture.shape[0] != picture.shape[1]:
            continue
        person = file.stem.rsplit("_", 1)[0]
        rows.append((cv2.resize(picture, (176, 176)), one_hot(label), person, ""))
    crops = _rows(rows, folder, 0.0, None)
    return without_duplicates(crops)


def read_folder(
    folder: Path, size: int, margin: float, thorough: bool = False, channels: int = 1
) -> Crops:
    """Any folder with one sub-folder of pictures or films for each label.

    The sub-folders are named for the labels (a few common names are understood). A sub-folder of
    that is taken for a person, with all that is below: label/person/picture, or
    label/person/visit/picture. Films give every twentieth frame.
    """
    finder = FaceFinder(thorough=thorough)
    rows = []
    for part in sorted(p for p in folder.iterdir() if p.is_dir()):
        label = FOLDER_LABELS.get(part.name.lower())
        if label is None:
            continue
        for file in sorted(part.rglob("*")):
            below = file.relative_to(part).parts
            person = below[0] if len(below) > 1 else ""
            for grey, shown in _pictures(file, channels):
                crop = _crop(finder, grey, shown, size, margin)
                if crop is not None:
                    rows.append((crop, one_hot(label), person, file.stem))
    return _rows(rows, folder, margin, finder)


def read_ravdess(
    folder: Path, size: int, margin: float, thorough: bool = False, channels: int = 1
) -> Crops:
    """RAVDESS films, by their names (modality-channel-emotion-...-actor), anywhere in ``folder``.

    Every twentieth frame. "Calm" is left out; sound-only files too.
    """
    finder = FaceFinder(thorough=thorough)
    rows = []
    for file in sorted(folder.rglob("*")):
        fields = file.stem.split("-")
        if file.suffix.lower() not in FILMS or len(fields) != 7 or fields[0] == "03":
            continue
        label = RAVDESS_LABELS.get(fields[2])
        if label is None:
            continue
        for grey, shown in _pictures(file, channels):
            crop = _crop(finder, grey, shown, size, margin)
            if crop is not None:
                rows.append((crop, one_hot(label), f"actor{fields[6]}", file.stem))
    return _rows(rows, folder, margin, finder)


def frames(file: Path, skip: int = FRAME_SKIP) -> Iterator[Grey]:
    """Every ``skip``-th frame of a film, grey, beginning with the first.

    Raises ValueError where OpenCV cannot open it.
    """
    return (grey for grey, _ in _film(file, skip, channels=1))


def _film(file: Path, skip: int, channels: int) -> Iterator[tuple[Grey, Picture]]:
    film = cv2.VideoCapture(str(file))
    if not film.isOpened():
        raise ValueError(f"{file} is not a film that OpenCV reads")
    try:
        place = 0
        while film.grab():
            if place % skip == 0:
                read, frame = film.retrieve()
                if read:
                    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
                    colour = grey if channels == 1 else cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                    yield grey, np.asarray(colour, np.uint8)
            place += 1
    finally:
        film.release()


def whole(picture: Picture, size: int) -> Picture:
    """A picture that is already cut to the face (FER+) as the device's crop of ``size``."""
    height, width = picture.shape[:2]
    return cut_face(picture, Box(0, 0, width, height), size)


def _pictures(file: Path, channels: int) -> Iterable[tuple[Grey, Picture]]:
    kind = file.suffix.lower()
    if kind in PICTURES:
        return [(read_grey(file), read_picture(file, channels))]
    return _film(file, FRAME_SKIP, channels) if kind in FILMS else []


def _crop(
    finder: FaceFinder, grey: Grey, shown: Picture, size: int, margin: float
) -> Picture | None:
    box = finder(grey)
    if box is None:
        return None
    return cut_face(shown, box, round(size * (1 + 2 * margin)), margin)


def _rows(
    rows: list[tuple[Picture, npt.NDArray[np.float32], str, str]],
    folder: Path,
    margin: float,
    finder: FaceFinder | None,
) -> Crops:
    if not rows:
        raise ValueError(f"no labelled face found in {folder}")
    if finder is not None:
        # Accuracies are of these only: how many they are of belongs beside them.
        print(f"{folder.name}: a face found in {len(rows)} of {finder.searched} pictures")
    images, targets, people, groups = zip(*rows, strict=True)
    return collect(images, targets, people, groups, margin)
