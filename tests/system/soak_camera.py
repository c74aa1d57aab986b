"""Hours of the service on the virtual camera: ``make soak-camera HOURS=2``.

Prints one line for each clip: memory, open files and threads of the process that watches, and what
became of the frames due. Then the camera is made to stall, and let go. Ends with 1 where a frame
due has no outcome, or where memory or open files grew.
"""

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_fea.capture.demo import DemoSource, Scene
from tests.system.camera_box import RATE, STALL, CameraBox, draw_pictures

# The camera shows each picture for a second: a minute and a half, over and over.
SCENES = (Scene("valid", 66), Scene("no_face", 24, places=()))
# Libraries are read from the disk as they are first used; after that nothing may be added.
WARM_UP_S = 600.0
MOST_GROWTH_KB = 4096


def outcomes(clip: dict[str, Any]) -> dict[str, int]:
    """How many frames of the clip had each outcome, without those that none had."""
    counts = {
        name.removeprefix("frames_"): count
        for name, count in clip.items()
        if name.startswith("frames_") and name not in ("frames_due", "frames_captured")
    }
    return {name: count for name, count in counts.items() if count}


class Soak:
    """The device, and what was measured on it."""

    def __init__(self, box: CameraBox) -> None:
        self.box = box
        self.began = time.monotonic()
        self.samples: list[tuple[float, int, int]] = []
        self.wrong: list[str] = []
        self.told: set[str] = set()

    def pid(self) -> int:
        """The process that watches."""
        return int(self.box.show("MainPID"))

    def sample(self) -> str:
        """Measure once; the figures as text."""
        pid = self.pid()
        status = dict(
            line.split(":", 1) for line in self.box.run("cat", f"/proc/{pid}/status").splitlines()
        )
        rollup = self.box.run("cat", f"/proc/{pid}/smaps_rollup")
        pss = next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))
        rss, threads = int(status["VmRSS"].split()[0]), status["Threads"].strip()
        files = len(self.box.run("ls", f"/proc/{pid}/fd").split())
        self.samples.append((time.monotonic() - self.began, rss, files))
        return f"{rss:8d} {int(pss):8d} {files:5d} {threads:>7s}"

    def new_clips(self) -> list[dict[str, Any]]:
        """The clips that have ended since this was last asked."""
        clips = json.loads(self.box.edge_fea("clips", "--format", "json"))
        new = [clip for clip in clips if clip["clip_id"] not in self.told]
        self.told.update(clip["clip_id"] for clip in new)
        for clip in new:
            given = sum(outcomes(clip).values())
            if given != clip["frames_due"] or clip["frames_due"] != clip["duration_s"] * RATE:
                self.wrong.append(
                    f"{clip['start_utc']}: {given} outcomes, {clip['frames_due']} frames due in "
                    f"{clip['duration_s']:g} s"
                )
        return new

    def watch(self, seconds: float) -> None:
        """Print a line for each clip, for so long."""
        print("ended (UTC)   RSS kB   Pss kB files threads   due = outcomes", flush=True)
        while time.monotonic() - self.began < seconds:
            time.sleep(20)
            figures = self.sample()
            for clip in self.new_clips():
                told = ", ".join(f"{name} {count}" for name, count in outcomes(clip).items())
                now = datetime.now(UTC).strftime("%H:%M:%S")
                print(f"{now:11s} {figures} {clip['frames_due']:5d} = {told}", flush=True)

    def stall(self) -> None:
        """Let the camera stall, and go on again; say when it was noticed and had recovered."""
        began = time.monotonic()
        self.box.run("touch", STALL)
        self.box.until(lambda: self.box.show("ExecMainStatus") == "75", self.box.journal())
        print(f"stall: left with 75 after {time.monotonic() - began:.1f} s", flush=True)
        self.box.until(lambda: any(c["ended_by"] == "camera_lost" for c in self.new_clips()), "")
        self.box.run("rm", STALL)
        began = time.monotonic()
        self.box.until(lambda: self.box.show("ActiveState") == "active", self.box.journal())
        print(f"recovered {time.monotonic() - began:.1f} s after the stall's end", flush=True)

    def verdict(self) -> int:
        """Print what grew and what was wrong; the exit code."""
        warm = [one for one in self.samples if one[0] > WARM_UP_S] or self.samples
        (_, rss_first, files_first), (_, rss_last, files_last) = warm[0], warm[-1]
        print(f"RSS {rss_first} to {rss_last} kB, files {files_first} to {files_last}")
        if rss_last - rss_first > MOST_GROWTH_KB:
            self.wrong.append(f"memory grew by {rss_last - rss_first} kB")
        if files_last > files_first:
            self.wrong.append(f"open files grew from {files_first} to {files_last}")
        for line in self.wrong:
            print(f"WRONG: {line}")
        return 1 if self.wrong else 0


def main() -> int:
    """Run for the hours that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--clip", type=int, default=300, help="length of a clip, seconds")
    wanted = parser.parse_args()
    settings = f"development = {str(wanted.clip < 300).lower()}\nlength_s = {wanted.clip}\n"
    with tempfile.TemporaryDirectory(prefix="edge-fea-camera-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("pictures", "disk"):
            (folder / part).mkdir()
        draw_pictures(folder / "pictures", DemoSource(RATE, datetime.now(UTC)), SCENES)
        box = CameraBox(folder / "disk", folder / "pictures", settings)
        try:
            box.boot()
            box.until(lambda: box.show("ActiveState") == "active", box.journal())
            soak = Soak(box)
            soak.watch(wanted.hours * 3600)
            soak.stall()
            return soak.verdict()
        finally:
            box.close()


if __name__ == "__main__":
    sys.exit(main())
