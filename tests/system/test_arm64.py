"""The whole life of an installation in real arm64 systems, with every instruction emulated.

No systemd runs in them: what starts the service is tested in `test_install.py`. Times are printed;
they are those of the emulation, and tell only how long this test takes.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_fea.capture.demo import DemoSource, Scene
from tests.conftest import write_video
from tests.system.blank import Blank, make_bundle, make_deb, root_file_system
from tests.system.emulation import CPU, arm64
from tests.system.releases import in_file, make_release

pytestmark = [pytest.mark.arm64, pytest.mark.timeout(10800)]

OPTIONS = ("--any-machine", "--offline")
# Computes what was measured, and its doctor does not get up.
BROKEN = in_file(
    "edge_fea/cli/doctor.py",
    "    clock = SystemClock()\n",
    '    raise SystemExit("this release is broken")\n',
)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, stage: DemoSource) -> Path:
    """Bundles and packages of three releases, and a film."""
    folder = tmp_path_factory.mktemp("given")
    # The service's user reads the film.
    folder.chmod(0o755)
    write_video(folder / "film.avi", stage, [Scene("valid", 30)], rate=4)
    first = make_bundle(folder / "first", "arm64", "bookworm", "trixie")
    for name, version, change in (("newer", "0.2.0", None), ("broken", "0.3.0", BROKEN)):
        make_release(first, folder / name, version, change)
    for name in ("first", "newer", "broken"):
        make_deb(folder / name, folder / f"{name}.deb")
    return folder


@pytest.fixture(params=["bookworm", "trixie"])
def blank(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, given: Path
) -> Iterator[Blank]:
    with arm64():
        root = root_file_system(request.param, "arm64")
        blank = Blank(tmp_path_factory.mktemp("disk"), root, given)
        try:
            yield blank
        finally:
            blank.close()


@pytest.fixture
def timed(blank: Blank, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Runs a command that must end with one of some codes, and prints how long it took."""

    def run(what: str, codes: tuple[int, ...], *command: str) -> str:
        began = time.monotonic()
        code, said = blank.inside(*command, environment={"QEMU_CPU": CPU})
        took = time.monotonic() - began
        print(f"\n{request.node.name}: {what}: {took:.0f} s, code {code}", flush=True)
        assert code in codes, said
        return said

    return run


def as_service(*arguments: str) -> tuple[str, ...]:
    return "runuser", "-u", "edge-fea", "--", "/opt/edge-fea/bin/edge-fea", *arguments


def live(timed: Callable[..., str]) -> None:
    """What a device does, as far as it goes without a camera."""
    assert "aarch64" in timed("machine", (0,), "uname", "-m")
    said = timed("doctor", (0, 71), *as_service("doctor"))
    assert "OK  runtime" in said, said
    said = timed("analyze, 30 s of film", (0,), *as_service("analyze", "/srv/film.avi"))
    clips = timed("clips", (0,), *as_service("clips", "--format", "csv")).splitlines()
    clip = dict(zip(clips[0].split(","), clips[1].split(","), strict=True))
    assert float(clip["frames_valid"]) > 0.9 * float(clip["frames_due"]), clip


def test_from_the_bundle(timed: Callable[..., str]) -> None:
    def script(name: str, which: str = "install") -> tuple[str, ...]:
        return f"/srv/{name}/deploy/{which}.sh", *OPTIONS, f"/srv/{name}"

    timed("install", (0,), *script("first"))
    live(timed)
    timed("the same again", (0,), *script("first"))
    said = timed("upgrade that is taken back", (70,), *script("broken", "upgrade"))
    assert "restored; the former database is" in said
    assert "0.1.0" in timed("version", (0,), "edge-fea", "--version")
    timed("upgrade", (0,), *script("newer", "upgrade"))
    assert "0.2.0" in timed("version", (0,), "edge-fea", "--version")
    assert len(timed("clips", (0,), *as_service("clips", "--format", "csv")).splitlines()) == 2
    timed("roll-back by hand", (0,), "/opt/edge-fea/current/deploy/upgrade.sh", "--roll-back")
    assert "0.1.0" in timed("version", (0,), "edge-fea", "--version")
    timed("uninstall", (0,), "/opt/edge-fea/current/deploy/uninstall.sh")
    timed("records are kept", (0,), "test", "-e", "/var/lib/edge-fea/edge-fea.db")
    timed("program is gone", (1,), "test", "-e", "/opt/edge-fea")


def test_from_the_package(timed: Callable[..., str]) -> None:
    timed("install", (0,), "dpkg", "--install", "/srv/first.deb")
    live(timed)
    timed("upgrade that is taken back", (1,), "dpkg", "--install", "/srv/broken.deb")
    assert "0.1.0" in timed("version", (0,), "edge-fea", "--version")
    timed("upgrade", (0,), "dpkg", "--install", "/srv/newer.deb")
    assert "0.2.0" in timed("version", (0,), "edge-fea", "--version")
    timed("remove", (0,), "dpkg", "--remove", "edge-fea")
    timed("records are kept", (0,), "test", "-e", "/var/lib/edge-fea/edge-fea.db")
    timed("program is gone", (1,), "test", "-e", "/opt/edge-fea")
