"""What a clinician waits for: the report as HTML and PDF, each export, and a pack.

    python benchmarks/handing_over.py [--days 90] [--runs 3]

Fills a database in a temporary folder with simulated days of one patient, a clip each five minutes,
and times the very commands, start of Python and all. The least CPU time of some runs is what the
work costs; the time by the clock says the same only on a machine with nothing else to do. Peak
memory is of the largest process.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pyrage import x25519

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.clinic.simulated import Plan, simulate

FORMATS = ("csv", "jsonl", "redcap", "bids", "fhir", "parquet", "sqlite")


def timed(label: str, command: list[str], out: Path, clips: int, runs: int = 3) -> None:
    """Run a command that writes ``out``, and print what it took."""
    least_cpu = least_wall = float("inf")
    for _ in range(runs):
        out.unlink(missing_ok=True)
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        least_cpu, least_wall = min(least_cpu, cpu), min(least_wall, wall)
    size = out.stat().st_size
    print(
        f"{label:12} {least_cpu:7.2f} s CPU {least_wall:7.2f} s {clips / least_cpu:8.0f} clips/s "
        f"{size / 1e6:8.2f} MB {size / clips:7.0f} bytes a clip",
        flush=True,
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    # As on a device: what was compiled once is there.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder / "clips.db", plan=Plan(days=options.days))
        settings = folder / "settings.toml"
        settings.write_text(
            '[device]\ntime_zone = "Europe/Berlin"\n[clinic]\n'
            f'recipients = ["{x25519.Identity.generate().to_public()}"]\n'
            f'signing_key = "{folder}/key.pem"\n'
        )
        start = [sys.executable, "-m", "edge_fea", "--config", str(settings)]
        start += ["--database", str(folder / "clips.db")]
        listed = subprocess.run(
            [*start, "clips", "--format", "csv", "--limit", "1000000"],
            check=True,
            capture_output=True,
        )
        clips = listed.stdout.count(b"\n") - 1
        print(f"{clips} clips of {options.days} days")
        jobs = {"report": ["report"], "report --pdf": ["report", "--pdf"], "pack": ["pack"]}
        jobs |= {form: ["export", "--format", form] for form in FORMATS}
        for label, words in jobs.items():
            out = folder / "out"
            timed(label, [*start, *words, "-o", str(out)], out, clips, options.runs)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"peak memory of the largest of them: {peak / 1024:.0f} MB")


if __name__ == "__main__":
    main()
