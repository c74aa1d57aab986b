"""A tiny copy of the data folder: the same file names and formats, generated faces and stripes."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from models.training.readers import FERPLUS_VOTES, KDEF_LABELS, LFW_LABELS

PEOPLE = ("F01", "F02", "M01", "M02")


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """A face before a plain ground, blue, green and red, (381, 281, 3): NASA's, public domain."""
    return np.ascontiguousarray(data.astronaut()[:381, 90:371, ::-1])


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    """KDEF of four people, FER+ and LFW, by the names that the readers expect."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(1)
    for name in ("kdef", "ferplus", "lfw_expressions"):
        (folder / name).mkdir()
    for person in PEOPLE:
        for place, code in enumerate(KDEF_LABELS):
            for view in ("S", "HL"):
                noise = rng.normal(0, 3, portrait.shape)
                lit = np.clip(portrait * (0.7 + 0.09 * place) + noise, 0, 255).astype(np.uint8)
                cv2.imwrite(str(folder / "kdef" / f"A{person}{code}{view}.jpg"), lit)
    for part, count in (("train", 70), ("valid", 35)):
        images = rng.integers(0, 256, (count, 48, 48)).astype(np.uint8)
        votes = np.zeros((count, len(FERPLUS_VOTES)), np.uint8)
        votes[np.arange(count), np.arange(count) % 7] = 10
        names = np.asarray([f"{part}-{place}" for place in range(count)])
        np.savez(folder / "ferplus" / f"{part}.npz", images=images, votes=votes, names=names)
    for label in LFW_LABELS:
        (folder / "lfw_expressions" / label).mkdir()
        for place in range(12):
            noise = rng.integers(0, 256, (176, 176)).astype(np.uint8)
            file = folder / "lfw_expressions" / label / f"{label}_{place:02d}_0001.jpg"
            cv2.imwrite(str(file), noise)
    return folder
