"""An hour of video through `edge-fea analyze`: is memory flat, is every frame accounted for?

    python benchmarks/long_video.py VIDEO... [--hours 1] [--keep FOLDER]

Loops the named videos into one long file (in a temporary folder, removed afterwards), analyses it
twice, samples the process's resident memory, and prints: memory after 5 minutes and at the end of
the recording's time, clips, frames due against outcomes, whether both runs agree to the byte, and
the speed. Exit code 1 when memory grew by more than 5 %, a frame is unaccounted for, or the runs
differ.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2

from edge_fea.vision.observation import Outcome

SIZE = (480, 270)
RATE = 12.5


def loop(videos: list[Path], seconds: float, target: Path) -> None:
    """Write ``videos`` one after the other, again and again, into ``target``."""
    frames = []
    for path in videos:
        video = cv2.VideoCapture(str(path))
        while (read := video.read())[0]:
            frames.append(cv2.resize(read[1], SIZE))
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), RATE, SIZE)
    for number in range(int(seconds * RATE)):
        writer.write(frames[number % len(frames)])
    writer.release()


def resident_mb(pid: int) -> float:
    """Resident memory of a process, MB, from /proc."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def analyse(video: Path, database: Path) -> tuple[list[dict], list[tuple[int, float]], float]:
    """The clips, (clips done, memory) samples, and seconds taken."""
    began = time.monotonic()
    command = [sys.executable, "-m", "edge_fea", "--database", str(database)]
    process = subprocess.Popen(
        [*command, "analyze", str(video)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    samples = []
    while process.poll() is None:
        time.sleep(0.5)
        if database.exists():
            listed = subprocess.run(
                [*command, "clips", "--format", "json"], capture_output=True, text=True, check=False
            )
            done = len(json.loads(listed.stdout)) if listed.returncode == 0 else 0
            try:
                memory = resident_mb(process.pid)
                if memory > 0:  # a process that has just ended has none
                    samples.append((done, memory))
            except (FileNotFoundError, ProcessLookupError):
                break
    process.wait()
    taken = time.monotonic() - began
    listed = subprocess.run(
        [*command, "clips", "--format", "json"], capture_output=True, text=True, check=True
    )
    return json.loads(listed.stdout), samples, taken


def main() -> int:
    """Run the benchmark; the exit code says whether all held."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "long.mp4"
        loop(options.videos, options.hours * 3600, video)
        clips, samples, taken = analyse(video, Path(folder) / "one.db")
        again, _, _ = analyse(video, Path(folder) / "two.db")
    early = [memory for done, memory in samples if done == 1]
    # While the last clip runs: the very last sample may be of a process that is taking itself down.
    late = [memory for done, memory in samples if done == len(clips) - 1][-1]
    due = sum(clip["frames_due"] for clip in clips)
    outcomes = sum(clip[f"frames_{outcome}"] for clip in clips for outcome in Outcome)
    growth = late / early[-1] - 1 if early else float("nan")
    print(f"clips                 {len(clips)}, of {clips[0]['duration_s']:.0f} s")
    print(f"frames due, outcomes  {due}, {outcomes}")
    print(f"memory                {early[-1]:.1f} MB after 5 min, {late:.1f} MB at the end")
    print(f"growth                {growth:+.1%}")
    print(f"same to the byte      {clips == again}")
    print(f"speed                 {options.hours * 3600 / taken:.0f} times real time")
    return 0 if clips == again and due == outcomes and abs(growth) <= 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
