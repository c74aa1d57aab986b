"""Still pictures: what read_grey makes of each kind, and a folder of them as a recording."""

import os
import struct
import zlib
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_fea.capture.pictures import SUFFIXES, PictureFolder, pictures_in, read_grey
from edge_fea.errors import NotFoundError, SourceUnreadable
from tests.conftest import NOON

RAMP = np.tile(np.arange(0, 200, 2, dtype=np.uint8), (60, 1))


def save(path: Path, pixels: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


def test_a_grey_picture_is_read_as_it_is(tmp_path: Path) -> None:
    assert np.array_equal(read_grey(save(tmp_path / "a.png", RAMP)), RAMP)


def test_a_colour_picture_becomes_luma(tmp_path: Path) -> None:
    blue, green, red = np.eye(3) * 255
    picture = np.array([[blue, green, red]], np.uint8)
    # ITU-R BT.601: 0.114 blue, 0.587 green, 0.299 red.
    assert read_grey(save(tmp_path / "a.png", picture)).tolist() == [[29, 150, 76]]


def test_a_transparent_pixel_counts_with_its_colour(tmp_path: Path) -> None:
    picture = np.dstack([RAMP, RAMP, RAMP, np.zeros_like(RAMP)])
    assert np.array_equal(read_grey(save(tmp_path / "a.png", picture)), RAMP)


def test_a_16_bit_picture_is_scaled_to_8(tmp_path: Path) -> None:
    got = read_grey(save(tmp_path / "a.png", RAMP.astype(np.uint16) * 257))
    assert got.dtype == np.uint8
    assert np.array_equal(got, RAMP)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_that_is_named_can_be_read(tmp_path: Path, suffix: str) -> None:
    got = read_grey(save(tmp_path / f"a{suffix}", RAMP))
    assert got.shape == RAMP.shape
    assert np.abs(got.astype(int) - RAMP).max() < 12


def test_a_name_beyond_ascii_is_read(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", RAMP).rename(tmp_path / "Gesicht-ä-面.png")
    assert read_grey(path).shape == RAMP.shape


def test_a_missing_picture_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no such file: .*none\.png"):
        read_grey(tmp_path / "none.png")


def test_an_empty_picture_is_named_as_empty(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(SourceUnreadable, match=r"a\.png: the file is empty"):
        read_grey(tmp_path / "a.png")


def test_text_under_a_pictures_name_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture\n")
    with pytest.raises(SourceUnreadable, match=r"a\.png: not a picture that can be read"):
        read_grey(tmp_path / "a.png")


def test_a_folder_in_place_of_a_picture_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="directory"):
        read_grey(tmp_path)


def test_a_picture_that_is_cut_short_is_unreadable(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100), np.uint8)
    path = save(tmp_path / "a.png", noise)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(SourceUnreadable, match=r"a\.png"):
        read_grey(path)


def test_a_picture_larger_than_opencv_takes_is_unreadable(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(SourceUnreadable, match=r"a\.png"):
        read_grey(tmp_path / "a.png")


def test_pictures_are_found_in_folders_below_by_path_whatever_the_case(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    paths = [tmp_path / "b" / "1.JPG", tmp_path / "a.png", tmp_path / "c.png"]
    for path in [*paths, tmp_path / "notes.txt"]:
        path.touch()
    assert pictures_in(tmp_path) == [paths[1], paths[0], paths[2]]


def test_a_folder_named_like_a_picture_is_none(tmp_path: Path) -> None:
    (tmp_path / "old.png").mkdir()
    save(tmp_path / "old.png" / "a.png", RAMP)
    assert pictures_in(tmp_path) == [tmp_path / "old.png" / "a.png"]


def test_a_folder_without_pictures_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no pictures"):
        pictures_in(tmp_path)


def test_a_missing_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such folder"):
        PictureFolder(tmp_path / "none", 4.0)


def test_the_pictures_of_a_folder_are_frames_at_the_rate(tmp_path: Path) -> None:
    for name in ("2", "0", "1"):
        save(tmp_path / f"{name}.png", np.full((8, 8), int(name), np.uint8))
    with PictureFolder(tmp_path, 4.0, recorded_at=NOON) as source:
        assert source.duration == 0.75
        frames = list(source.frames())
    assert [frame.pixels[0, 0] for frame in frames] == [0, 1, 2]
    assert [frame.sequence for frame in frames] == [0, 1, 2]
    assert [frame.monotonic for frame in frames] == [0.0, 0.25, 0.5]
    assert frames[2].wall == NOON + timedelta(seconds=0.5)


def test_a_folder_was_recorded_when_its_first_picture_was_modified(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", RAMP)
    os.utime(path, (NOON.timestamp(),) * 2)
    assert PictureFolder(tmp_path, 4.0).recorded_at == NOON


def test_the_first_unreadable_picture_ends_the_frames(tmp_path: Path) -> None:
    save(tmp_path / "a.png", RAMP)
    (tmp_path / "b.png").write_text("no picture")
    frames = PictureFolder(tmp_path, 4.0).frames()
    assert next(frames).sequence == 0
    with pytest.raises(SourceUnreadable, match=r"b\.png"):
        next(frames)
