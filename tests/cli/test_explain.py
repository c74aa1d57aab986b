"""explain: one picture in, one picture out, and nothing else."""

import json
import shutil
from pathlib import Path

import cv2
import pytest

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.vision.classifier import default_network
from tests.cli.conftest import Run


@pytest.fixture
def face(tmp_path: Path, stage: DemoSource) -> Path:
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), stage.draw(Scene("valid", 1), 0.0, 0))
    return path


def test_it_writes_the_picture_that_was_asked_for_and_no_other(
    run: Run, face: Path, tmp_path: Path
) -> None:
    done = run("explain", face, "-o", "out.png")
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"face.png", "out.png"}
    drawn = cv2.imread(str(tmp_path / "out.png"))
    assert drawn.shape[1] == 2 * drawn.shape[0]


def test_it_says_what_was_read_and_that_the_picture_shows_a_face(run: Run, face: Path) -> None:
    said = run("explain", face, "-o", "out.png").stdout
    assert "read as happy" in said
    assert "5 x 5 places" in said
    assert "out.png shows a face" in said


def test_nobody_else_may_read_what_it_wrote(run: Run, face: Path, tmp_path: Path) -> None:
    run("explain", face, "-o", "out.png")
    assert (tmp_path / "out.png").stat().st_mode & 0o077 == 0


def test_it_never_overwrites(run: Run, face: Path, tmp_path: Path) -> None:
    (tmp_path / "out.png").write_text("mine")
    done = run("explain", face, "-o", "out.png")
    assert (done.exit_code, len(done.stderr.splitlines())) == (73, 1)
    assert (tmp_path / "out.png").read_text() == "mine"


def test_a_crop_is_taken_as_it_is_when_told_so(run: Run, face: Path, tmp_path: Path) -> None:
    crop = cv2.imread(str(face))[100:330, 205:435]
    cv2.imwrite(str(tmp_path / "crop.png"), crop)
    assert run("explain", "--no-detect", "crop.png", "-o", "out.png").exit_code == 0


def test_without_a_face_it_ends_with_66_and_writes_nothing(
    run: Run, tmp_path: Path, stage: DemoSource
) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), stage.draw(Scene("no_face", 1, places=()), 0.0, 0))
    done = run("explain", "wall.png", "-o", "out.png")
    assert (done.exit_code, done.stderr) == (66, "edge-fea: no face to explain: no face in sight\n")
    assert not (tmp_path / "out.png").exists()


def test_a_network_without_an_attention_output_ends_with_72(
    run: Run, face: Path, tmp_path: Path
) -> None:
    shipped = default_network()
    shutil.copy(shipped.with_suffix(".tflite"), tmp_path)
    manifest = json.loads(shipped.read_text())
    manifest["outputs"]["attention"] = None
    (tmp_path / shipped.name).write_text(json.dumps(manifest))
    (tmp_path / "a.toml").write_text(f'[vision]\nnetwork = "{tmp_path / shipped.name}"\n')
    done = run("--config", "a.toml", "explain", face, "-o", "out.png")
    assert done.exit_code == 72
    assert "no attention output" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("none.png", "-o", "out.png"), 66), (("face.png", "-o", "out.jpg"), 2), (("face.png",), 2)],
    ids=["missing", "not a png", "no output"],
)
def test_wrong_arguments(run: Run, face: Path, arguments: tuple[str, ...], code: int) -> None:
    del face
    assert run("explain", *arguments).exit_code == code
