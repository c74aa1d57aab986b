"""Readers on real files: pictures and films of a face, in the folders that people keep."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_fea.emotions import LABELS
from models.training.data import MAJORITY, cached
from models.training.readers import (
    FaceFinder,
    frames,
    read_ferplus,
    read_folder,
    read_grey,
    read_kdef,
    read_ravdess,
)


def film(path: Path, picture: np.ndarray, count: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = picture.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (width, height))
    for _ in range(count):
        writer.write(picture)
    writer.release()
    return path


def write(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
    return path


def test_a_folder_of_labelled_pictures_is_read_by_label_and_person(
    tmp_path: Path, portrait: np.ndarray
) -> None:
    write(tmp_path / "happiness" / "P1" / "a.png", portrait)
    write(tmp_path / "sad" / "b.png", portrait[:, ::-1])
    write(tmp_path / "holidays" / "c.png", portrait)
    crops = read_folder(tmp_path, 48, 0.0)
    assert [LABELS[label] for label in crops.labels] == ["happy", "sad"]
    assert crops.people.tolist() == ["P1", ""]
    assert crops.images.shape == (2, 48, 48)


def test_a_film_in_such_a_folder_gives_every_twentieth_frame(
    tmp_path: Path, portrait: np.ndarray
) -> None:
    film(tmp_path / "neutral" / "P2" / "film.mp4", portrait, 41)
    crops = read_folder(tmp_path, 48, 0.2)
    assert len(crops) == 3
    assert set(crops.people.tolist()) == {"P2"}
    assert crops.images.shape == (3, round(48 * 1.4), round(48 * 1.4))


def test_ravdess_is_read_by_its_names(tmp_path: Path, portrait: np.ndarray) -> None:
    film(tmp_path / "Actor_07" / "01-01-03-01-01-01-07.mp4", portrait, 21)
    film(tmp_path / "Actor_07" / "02-01-02-01-01-01-07.mp4", portrait, 2)  # calm
    film(tmp_path / "Actor_12" / "02-01-06-02-01-01-12.mp4", portrait, 2)
    film(tmp_path / "Actor_12" / "holiday.mp4", portrait, 2)
    crops = read_ravdess(tmp_path, 48, 0.0)
    assert [LABELS[label] for label in crops.labels] == ["happy", "happy", "fear"]
    assert crops.people.tolist() == ["actor07", "actor07", "actor12"]


def test_kdef_is_read_by_person_expression_and_view(tmp_path: Path, portrait: np.ndarray) -> None:
    for name in ("AF01AFS.JPG", "BM02HAHL.JPG", "readme.jpg"):
        write(tmp_path / name, portrait)
    crops = read_kdef(tmp_path, 48, 0.0)
    assert [LABELS[label] for label in crops.labels] == ["fear", "happy"]
    assert crops.people.tolist() == ["F01", "M02"]
    assert crops.groups.tolist() == ["frontal", "half"]


def test_colours_are_those_of_the_same_crop(tmp_path: Path, portrait: np.ndarray) -> None:
    write(tmp_path / "happy" / "a.png", portrait)
    grey = read_folder(tmp_path, 48, 0.0).images
    colour = read_folder(tmp_path, 48, 0.0, channels=3).images
    assert colour.shape == (1, 48, 48, 3)
    luma = colour[0] @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma - grey[0]).max() < 4
    assert colour[0, ..., 0].mean() > colour[0, ..., 2].mean(), "skin is redder than it is blue"


def test_the_largest_face_is_taken(portrait: np.ndarray) -> None:
    grey = cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, None, fx=0.5, fy=0.5)
    beside = np.full((381, 281 + small.shape[1]), 128, np.uint8)
    beside[:, :281] = grey
    beside[: small.shape[0], 281:] = small
    box = FaceFinder()(beside)
    assert box is not None
    assert box.x + box.width < 281


def test_a_folder_without_labelled_faces_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "happy" / "wall.png", np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(ValueError, match="no labelled face found"):
        read_folder(tmp_path, 48, 0.0)


def test_what_is_no_picture_and_no_film_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    with pytest.raises(ValueError, match=r"broken\.png is not a picture"):
        read_grey(broken)
    with pytest.raises(ValueError, match=r"broken\.mp4 is not a film"):
        list(frames(broken.rename(tmp_path / "broken.mp4")))


def test_a_person_is_the_folder_below_the_label_whatever_lies_below(
    tmp_path: Path, portrait: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "happy" / "P017" / "visit 2" / "a.png", portrait)
    write(tmp_path / "happy" / "P018" / "b.png", portrait)
    write(tmp_path / "happy" / "P018" / "wall.png", np.full((200, 200, 3), 90, np.uint8))
    assert read_folder(tmp_path, 48, 0.0).people.tolist() == ["P017", "P018"]
    assert "a face found in 2 of 3 pictures" in capsys.readouterr().out


def test_a_ferplus_label_has_a_majority_by_the_rule_of_ferplus(tmp_path: Path) -> None:
    # neutral happy surprise sad angry disgust fear contempt unknown not-a-face
    votes = [
        [6, 4, 0, 0, 0, 0, 0, 0, 0, 0],
        [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],
        [4, 1, 1, 1, 1, 0, 0, 2, 0, 0],  # single votes do not count: 4 of 6
        [4, 0, 0, 3, 0, 0, 0, 0, 3, 0],
    ]
    images = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    for part in ("train", "valid"):
        np.savez(tmp_path / f"{part}.npz", images=images, votes=np.asarray(votes, np.uint8))
    crops = read_ferplus(tmp_path, "valid")
    assert (crops.groups == MAJORITY).tolist() == [True, False, True, False]


def test_a_cache_is_of_the_files_that_are_there(tmp_path: Path, portrait: np.ndarray) -> None:
    source, cache = tmp_path / "data", tmp_path / "cache"

    def crops() -> int:
        return len(cached(cache, "own", source, lambda: read_folder(source, 48, 0.0)))

    write(source / "happy" / "P1" / "a.png", portrait)
    assert crops() == 1
    write(source / "sad" / "P1" / "b.png", portrait)
    assert crops() == 2
    shutil.rmtree(source)
    with pytest.raises(FileNotFoundError, match="EDGE_FEA_DATA"):
        crops()
