"""The Debian package: lint, install, upgrade, an upgrade that is taken back, removal."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_fea.capture.demo import DemoSource, Scene
from tests.conftest import write_video
from tests.system.blank import Blank, make_deb, root_file_system
from tests.system.releases import in_file, make_release

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(900)]

SUITE, ARCH = "bookworm", "amd64"
SETTINGS = '[capture]\nsource = "video"\npath = "/opt/film.avi"\n'
BROKEN = in_file(
    "edge_fea/cli/watch.py",
    "    settings, wrong = Settings(), None\n",
    '    raise SystemExit("this release is broken")\n',
)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    make_deb(bundle, folder / "first.deb")
    make_deb(make_release(bundle, folder / "newer", "0.2.0"), folder / "newer.deb")
    make_deb(make_release(bundle, folder / "broken", "0.3.0", BROKEN), folder / "broken.deb")
    return folder


@pytest.fixture(scope="module")
def blank(
    tmp_path_factory: pytest.TempPathFactory, stage: DemoSource, packages: Path
) -> Iterator[Blank]:
    film = write_video(
        tmp_path_factory.mktemp("film") / "film.avi", stage, [Scene("valid", 120)], rate=4
    )
    blank = Blank(tmp_path_factory.mktemp("disk"), root_file_system(SUITE, ARCH), packages)
    try:
        blank.copy(film, "/opt/film.avi")
        blank.write("/etc/edge-fea/edge-fea.toml", SETTINGS)
        blank.write(
            "/etc/systemd/system/edge-fea.service.d/test.conf", "[Service]\nProtectProc=default\n"
        )
        blank.boot()
        yield blank
    finally:
        blank.close()


def version(blank: Blank) -> str:
    return blank.run("edge-fea", "--version").split()[-1]


def test_lintian_finds_no_error(packages: Path) -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error", packages / "first.deb"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_it_installs_and_starts(blank: Blank) -> None:
    code, said = blank.try_run("dpkg", "--install", "/srv/first.deb")
    assert code == 0, said
    assert blank.show("ActiveState") == "active"
    assert blank.run("cat", "/etc/edge-fea/edge-fea.toml") == SETTINGS
    assert "bad" not in blank.doctor().values(), blank.doctor()


def test_a_newer_one_takes_over(blank: Blank) -> None:
    former = version(blank)
    code, said = blank.try_run("dpkg", "--install", "/srv/newer.deb")
    assert code == 0, said
    assert (former, version(blank)) == ("0.1.0", "0.2.0")
    assert blank.show("ActiveState") == "active"


def test_a_broken_one_is_taken_back_and_dpkg_knows(blank: Blank) -> None:
    code, said = blank.try_run("dpkg", "--install", "/srv/broken.deb")
    assert code != 0
    assert "0.2.0" in said.split("== Back to", 1)[1], said
    assert version(blank) == "0.2.0"
    assert blank.show("ActiveState") == "active"
    assert "half-configured" in blank.run("dpkg-query", "-W", "-f", "${Status}", "edge-fea")
    # The one before, once more, and dpkg is content.
    blank.run("dpkg", "--install", "/srv/newer.deb")
    assert "installed" in blank.run("dpkg-query", "-W", "-f", "${Status}", "edge-fea")


def test_neither_remove_nor_purge_takes_the_records(blank: Blank) -> None:
    blank.run("dpkg", "--remove", "edge-fea")
    assert blank.try_run("test", "-e", "/opt/edge-fea")[0] == 1
    assert blank.try_run("test", "-e", "/etc/systemd/system/edge-fea.service")[0] == 1
    said = blank.run("dpkg", "--purge", "edge-fea")
    assert "are kept" in said
    assert blank.try_run("test", "-e", "/var/lib/edge-fea/edge-fea.db")[0] == 0
    assert blank.try_run("test", "-e", "/usr/lib/edge-fea")[0] == 1
