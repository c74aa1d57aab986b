"""model and classify, with the network that ships."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_fea.capture.demo import SCENES, DemoSource
from edge_fea.emotions import LABELS
from edge_fea.vision.classifier import default_network
from edge_fea.vision.manifest import Manifest
from tests.cli.conftest import Run


@pytest.fixture
def face(tmp_path: Path, stage: DemoSource) -> Path:
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), next(stage.frames()).pixels)
    return path


@pytest.fixture
def wall(tmp_path: Path, stage: DemoSource) -> Path:
    scene = next(scene for scene in SCENES if scene.outcome == "no_face")
    path = tmp_path / "wall.png"
    cv2.imwrite(str(path), stage.draw(scene, 0.0, 0))
    return path


def classified(run: Run, *arguments: object) -> list[dict[str, Any]]:
    return json.loads(run("classify", *arguments).stdout)


def test_model_shows_the_network_that_ships_and_that_it_computes_right(run: Run) -> None:
    done = run("model")
    manifest = Manifest.read(default_network())
    assert done.exit_code == 0, done.stderr
    assert manifest.sha256 in done.stdout
    assert manifest.name in done.stdout
    assert ", ".join(LABELS) in done.stdout
    assert "self-check   passed" in done.stdout


def test_model_as_json_holds_the_manifest_without_the_stored_picture(run: Run) -> None:
    record = json.loads(run("model", "--format", "json").stdout)
    assert record["manifest"]["labels"] == list(LABELS)
    assert "input" not in record["manifest"]["self_check"]
    assert record["self_check_difference"] <= record["manifest"]["self_check"]["tolerance"]
    assert Path(record["path"]).is_file()
    assert set(record["runtime"]) == {"package", "version"}


def test_model_refuses_a_network_that_was_changed(run: Run, tmp_path: Path) -> None:
    shipped = default_network()
    network = Manifest.read(shipped).file
    shutil.copy(shipped, tmp_path)
    content = bytearray(shipped.with_name(network).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / network).write_bytes(content)
    (tmp_path / "a.toml").write_text(f'[vision]\nnetwork = "{tmp_path / shipped.name}"\n')
    done = run("--config", tmp_path / "a.toml", "model")
    assert done.exit_code == 72
    assert "sha256" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_model_without_its_manifest_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(f'[vision]\nnetwork = "{tmp_path / "none.json"}"\n')
    done = run("--config", tmp_path / "a.toml", "model")
    assert (done.exit_code, len(done.stderr.splitlines())) == (72, 1)
    assert "none.json" in done.stderr


def test_classify_gives_a_record_a_picture(run: Run, face: Path, wall: Path) -> None:
    records = classified(run, face, wall)
    assert [record["path"] for record in records] == [str(face), str(wall)]
    assert list(records[0]) == ["path", "outcome", "box", "p_face", "probabilities"]


def test_classify_reads_a_face(run: Run, face: Path) -> None:
    (record,) = classified(run, face)
    assert record["outcome"] == "valid"
    assert list(record["probabilities"]) == list(LABELS)
    assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    x, y, width, height = record["box"]
    assert x < 320 < x + width
    assert y < 216 < y + height


def test_classify_finds_no_face_on_a_wall(run: Run, wall: Path) -> None:
    (record,) = classified(run, wall)
    assert record["outcome"] == "no_face"
    assert (record["box"], record["probabilities"]) == (None, None)


def test_classify_searches_folders(run: Run, face: Path, wall: Path) -> None:
    assert [Path(record["path"]).name for record in classified(run, face.parent)] == [
        "face.png",
        "wall.png",
    ]


def test_classify_takes_a_picture_for_a_crop_when_told_so(run: Run, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 90), np.uint8)
    cv2.imwrite(str(tmp_path / "crop.png"), noise)
    (record,) = classified(run, "--no-detect", tmp_path / "crop.png")
    assert (record["outcome"], record["box"]) == ("valid", [0, 0, 90, 90])
    assert record["probabilities"] is not None


def test_classify_as_csv_has_the_same_records(run: Run, face: Path, wall: Path) -> None:
    done = run("classify", "--format", "csv", face, wall)
    first, second = csv.DictReader(io.StringIO(done.stdout))
    (record,) = classified(run, face)
    assert float(first["happy"]) == record["probabilities"]["happy"]
    assert [int(first[f"box_{name}"]) for name in ("x", "y", "width", "height")] == record["box"]
    assert (second["outcome"], second["box_x"], second["happy"]) == ("no_face", "", "")


def test_classify_reports_what_it_cannot_read_and_does_the_rest(
    run: Run, tmp_path: Path, face: Path
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    done = run("classify", tmp_path / "text.png", face)
    first, second = json.loads(done.stdout)
    assert done.exit_code == 65
    assert done.stderr == f"edge-fea: {tmp_path / 'text.png'}: not a picture that can be read\n"
    assert (first["outcome"], first["probabilities"]) == ("unreadable", None)
    assert second["outcome"] == "valid"


def test_classify_of_a_missing_picture_is_not_found(run: Run, tmp_path: Path) -> None:
    done = run("classify", tmp_path / "none.png")
    assert done.exit_code == 66
    assert json.loads(done.stdout)[0]["outcome"] == "unreadable"


def test_classify_of_a_folder_without_pictures_is_not_found(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    done = run("classify", tmp_path / "folder")
    assert done.exit_code == 66
    assert "no pictures" in done.stderr


def test_classify_needs_a_path(run: Run) -> None:
    assert run("classify").exit_code == 2
