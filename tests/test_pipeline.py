"""The main job with the network that ships: frames in, clip summaries in SQLite."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.cli import cli
from edge_fea.store.clips import ClipFilter, ClipReader
from edge_fea.vision.observation import Outcome

# Clips of 10 s, so that a short recording holds several.
SHORT = {
    "EDGE_FEA_CLIP__DEVELOPMENT": "true",
    "EDGE_FEA_CLIP__LENGTH_S": "10",
    "EDGE_FEA_CLIP__SUFFICIENT_SECONDS": "3",
    "EDGE_FEA_CLIP__CHECKPOINT_S": "2",
}
LABELLED = ("happy", "neutral")


def clips_in(database: Path) -> list[dict]:
    with ClipReader(database, busy_timeout=1) as reader:
        return list(reader.clips(ClipFilter()))


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict]]:
    database = tmp_path_factory.mktemp("demo") / "demo.db"
    result = CliRunner().invoke(cli, ["--database", str(database), "demo"])
    assert result.exit_code == 0, result.output
    return result.output, clips_in(database)


def test_the_demo_ends_with_full_clips_in_the_database(demo_run) -> None:
    output, clips = demo_run
    assert [clip["ended_by"] for clip in clips] == ["full", "pause", "stop"]
    assert output.rstrip().splitlines()[-1].startswith("database: ")
    for clip in clips:
        assert clip["clip_id"] in output


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_that_the_demo_stages_is_in_the_coverage(demo_run, outcome: Outcome) -> None:
    _, clips = demo_run
    assert sum(clip[f"frames_{outcome}"] for clip in clips) >= 20


def test_the_smiling_portrait_is_happy(demo_run) -> None:
    _, clips = demo_run
    assert clips[0]["dominant"] == "happy"
    assert clips[0]["mean_happy"] > 0.6


def test_outcomes_of_the_demo_add_up(demo_run) -> None:
    _, clips = demo_run
    for clip in clips:
        assert sum(clip[f"frames_{outcome}"] for outcome in Outcome) == clip["frames_due"]
    assert sum(clip["frames_due"] for clip in clips) == 4 * DemoSource.duration


@pytest.fixture
def video(portrait_video: Path) -> Path:
    return portrait_video


def analyze(database: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(
        cli, ["--database", str(database), "analyze", *arguments], env=SHORT
    )
    return result.exit_code, result.output


def test_a_recorded_video_becomes_clips(video: Path, tmp_path: Path) -> None:
    code, _ = analyze(tmp_path / "a.db", str(video))
    assert code == 0
    clips = clips_in(tmp_path / "a.db")
    assert [clip["frames_due"] for clip in clips] == [40, 40, 16]
    assert [clip["dominant"] for clip in clips] == [
        "happy",
        None if not clips[1]["sufficient"] else "happy",
        None,
    ]
    assert clips[2]["mean_happy"] is None


def test_the_same_video_gives_the_same_clips_to_the_byte(video: Path, tmp_path: Path) -> None:
    for name in ("one.db", "two.db"):
        assert analyze(tmp_path / name, str(video))[0] == 0
    assert json.dumps(clips_in(tmp_path / "one.db")) == json.dumps(clips_in(tmp_path / "two.db"))


def test_analysing_twice_changes_nothing(video: Path, tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    analyze(database, str(video))
    once = clips_in(database)
    analyze(database, str(video))
    assert clips_in(database) == once


def test_one_bad_file_does_not_keep_the_others_from_being_done(video: Path, tmp_path: Path) -> None:
    bad = tmp_path / "notes.mp4"
    bad.write_text("these are notes, not a video")
    code, output = analyze(tmp_path / "a.db", str(bad), str(video))
    assert code == 65
    assert "notes.mp4: not a video" in output
    assert len(clips_in(tmp_path / "a.db")) == 3


def test_a_video_that_breaks_off_keeps_and_shows_what_was_read(video: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    code, output = analyze(tmp_path / "a.db", str(cut))
    assert code == 65
    assert "breaks off after" in output
    kept = clips_in(tmp_path / "a.db")
    assert [clip["ended_by"] for clip in kept] == ["full", "camera_lost"]
    assert all(clip["clip_id"] in output for clip in kept)


def test_a_setting_that_changes_no_figure_makes_no_new_clip(video: Path, tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    analyze(database, str(video))
    once = clips_in(database)
    other = {**SHORT, "EDGE_FEA_BASELINE__DAYS": "20", "EDGE_FEA_CAPTURE__TIMEOUT_S": "9"}
    again = CliRunner().invoke(cli, ["--database", str(database), "analyze", str(video)], env=other)
    assert again.exit_code == 0
    assert clips_in(database) == once


def test_ctrl_c_keeps_what_was_read(video: Path, tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    command = [sys.executable, "-m", "edge_fea", "--database", str(database), "analyze"]
    process = subprocess.Popen(
        [*command, "--real-time", str(video)], env={**os.environ, **SHORT}, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    while not database.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    (clip,) = clips_in(database)
    assert clip["ended_by"] == "stop"


def test_a_folder_of_pictures_is_a_recording(stage: DemoSource, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(20):
        cv2.imwrite(str(folder / f"{number:03}.png"), stage.draw(Scene("valid", 1), number, number))
    assert analyze(tmp_path / "a.db", str(folder))[0] == 0
    (clip,) = clips_in(tmp_path / "a.db")
    assert (clip["frames_due"], clip["source"]) == (20, "pictures")


def test_the_time_of_recording_can_be_told(video: Path, tmp_path: Path) -> None:
    analyze(tmp_path / "a.db", "--recorded-at", "2026-03-29T02:59:55+01:00", str(video))
    assert [clip["start_utc"] for clip in clips_in(tmp_path / "a.db")] == [
        "2026-03-29T01:59:55.000Z",
        "2026-03-29T02:00:05.000Z",
        "2026-03-29T02:00:15.000Z",
    ]


def test_classify_reads_the_smile(stage: DemoSource, tmp_path: Path) -> None:
    face, wall = tmp_path / "face.png", tmp_path / "wall.png"
    cv2.imwrite(str(face), stage.draw(Scene("valid", 1), 0.0, 0))
    cv2.imwrite(str(wall), stage.draw(Scene("no_face", 1, places=()), 0.0, 0))
    result = CliRunner().invoke(cli, ["classify", str(tmp_path)])
    assert result.exit_code == 0
    smile, nothing = json.loads(result.stdout)
    assert max(smile["probabilities"], key=smile["probabilities"].get) == "happy"
    assert sum(smile["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert (smile["outcome"], nothing["outcome"]) == ("valid", "no_face")
    assert nothing["probabilities"] is None


def test_the_network_computes_what_was_measured() -> None:
    result = CliRunner().invoke(cli, ["model", "--format", "json"])
    assert result.exit_code == 0, result.output
    model = json.loads(result.stdout)
    assert model["self_check_difference"] <= 0.05
    assert Path(model["path"]).stat().st_size <= 3_000_000


def test_a_stop_closes_the_clip_within_two_seconds(video: Path, tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    environment = {
        **os.environ,
        "EDGE_FEA_CAPTURE__SOURCE": "video",
        "EDGE_FEA_CAPTURE__PATH": str(video),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_fea", "--database", str(database), "run"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "watching" not in (line := process.stderr.readline()):
        assert line, "edge-fea ended before it watched"
    time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, log = process.communicate(timeout=10)
    assert process.returncode == 0, log
    assert time.monotonic() - began < 2
    (clip,) = clips_in(database)
    assert clip["ended_by"] == "stop"
