"""key, pack and unpack: from the device to the clinician's computer."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_fea.cli import cli
from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device with a key of its own, whose packs have no reports: those take their time."""
    monkeypatch.setenv("EDGE_FEA_CLINIC__SIGNING_KEY", str(tmp_path / "keys" / "device.pem"))
    monkeypatch.setattr("edge_fea.clinic.pack_members._report_names", lambda patients: [])


@pytest.fixture
def reader(run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """A clinician's key is in me.txt, and its public half in the settings."""
    result = run("key", "make-recipient", "-o", "me.txt")
    public = result.stdout.strip()
    monkeypatch.setenv("EDGE_FEA_CLINIC__RECIPIENTS", json.dumps([public]))
    return public


def fingerprint(run: Run) -> str:
    found = re.search(r"fingerprint +([0-9a-f-]{39})\n", run("key", "show").stdout)
    assert found
    return found[1]


def test_the_devices_key_is_shown_and_stays_the_same(run: Run, tmp_path: Path) -> None:
    first, second = run("key", "show"), run("key", "show")
    assert first.exit_code == 0
    assert first.stdout == second.stdout
    pem = run("key", "show", "--pem").stdout
    assert pem.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert first.stdout.endswith(pem)
    assert "PRIVATE" not in first.stdout


def test_a_readers_key_is_made_once(run: Run, tmp_path: Path) -> None:
    result = run("key", "make-recipient", "-o", "me.txt")
    assert re.fullmatch(r"age1[a-z0-9]{58}\n", result.stdout)
    assert "me.txt" in result.stderr
    again = run("key", "make-recipient", "-o", "me.txt")
    assert again.exit_code == 73
    assert "is there already" in again.stderr


def test_a_pack_is_made_sent_and_opened(run: Run, database: Path, reader: str) -> None:
    known = fingerprint(run)
    made = run("--database", database, "pack", "--patient", "P07", "-o", ".")
    assert made.exit_code == 0
    assert made.stdout == ""
    (pack,) = Path().glob("edge-fea-*.edgefea")
    data = pack.read_bytes()
    assert f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}" in made.stderr
    assert made.stderr.startswith("2 clips of 1 patient, from the first clip to ")
    opened = run("unpack", pack, "-i", "me.txt", "--device-key", known)
    assert opened.exit_code == 0, opened.output
    assert "origin      yes" in opened.stdout
    assert "2 of P07" in opened.stdout
    folder = Path(pack.stem)
    assert {each.name for each in folder.iterdir()} == {
        *("clips.csv", "clips.fhir.json", "dictionary.md", "manifest.json", "manifest.sig")
    }


def test_without_the_devices_key_the_origin_is_not_verified_and_that_is_said(
    run: Run, database: Path, reader: str
) -> None:
    run("--database", database, "pack", "-o", "a.edgefea")
    opened = run("unpack", "a.edgefea", "-i", "me.txt", "-o", "out")
    assert opened.exit_code == 0
    assert "origin      NOT VERIFIED" in opened.stdout
    assert f"--device-key {fingerprint(run)}" in opened.stdout


def test_the_devices_key_may_be_a_file(run: Run, database: Path, reader: str) -> None:
    Path("ward3.pem").write_text(run("key", "show", "--pem").stdout)
    run("--database", database, "pack", "-o", "a.edgefea")
    opened = run("unpack", "a.edgefea", "-i", "me.txt", "--device-key", "ward3.pem")
    assert "origin      yes" in opened.stdout


def test_a_pack_of_another_device_is_refused(run: Run, database: Path, reader: str) -> None:
    run("--database", database, "pack", "-o", "a.edgefea")
    other = "-".join(["0123"] * 8)
    refused = run("unpack", "a.edgefea", "-i", "me.txt", "--device-key", other)
    assert refused.exit_code == 65
    assert "comes from another device" in refused.stderr
    assert not Path("a").exists()


def test_a_wrong_key_is_told_so(run: Run, database: Path, reader: str) -> None:
    run("--database", database, "pack", "-o", "a.edgefea")
    run("key", "make-recipient", "-o", "other.txt")
    refused = run("unpack", "a.edgefea", "-i", "other.txt")
    assert refused.exit_code == 65
    assert "not for this key" in refused.stderr
    unsaid = run("unpack", "a.edgefea")
    assert unsaid.exit_code == 64
    assert "--identity" in unsaid.stderr


def test_a_key_with_a_passphrase_asks_for_it(database: Path, run: Run, monkeypatch) -> None:
    made = CliRunner().invoke(
        cli, ["key", "make-recipient", "-o", "me.txt", "--passphrase"], input="horse\nhorse\n"
    )
    public = made.stdout.strip().splitlines()[-1]
    monkeypatch.setenv("EDGE_FEA_CLINIC__RECIPIENTS", json.dumps([public]))
    run("--database", database, "pack", "-o", "a.edgefea")
    opened = CliRunner().invoke(cli, ["unpack", "a.edgefea", "-i", "me.txt"], input="horse\n")
    assert opened.exit_code == 0, opened.output
    wrong = CliRunner().invoke(cli, ["unpack", "a.edgefea", "-i", "me.txt"], input="cow\n")
    assert wrong.exit_code == 65


def test_without_a_reader_it_is_refused_and_on_record(run: Run, database: Path) -> None:
    refused = run("--database", database, "pack", "-o", "a.edgefea")
    assert refused.exit_code == 77
    assert "no pack without a reader" in refused.stderr
    shown = run("--database", database, "audit", "--format", "json")
    begun, ended = json.loads(shown.stdout)
    assert (begun["outcome"], ended["outcome"], ended["note"]) == ("begun", "refused", "NotAllowed")


def test_the_operator_may_allow_plain_packs(run: Run, database: Path, monkeypatch) -> None:
    monkeypatch.setenv("EDGE_FEA_CLINIC__PLAIN_PACKS", "true")
    made = run("--database", database, "pack", "-o", ".")
    assert "whoever has the file can read it" in made.stderr
    (pack,) = Path().glob("edge-fea-*.zip")
    opened = run("unpack", pack, "--device-key", fingerprint(run))
    assert opened.exit_code == 0
    assert "secrecy     none" in opened.stdout


def test_a_pack_goes_to_standard_output(run: Run, database: Path, reader: str) -> None:
    made = run("--database", database, "pack")
    assert made.exit_code == 0
    Path("s.edgefea").write_bytes(made.stdout_bytes)
    assert f"SHA-256 {hashlib.sha256(made.stdout_bytes).hexdigest()}" in made.stderr
    assert run("unpack", "s.edgefea", "-i", "me.txt").exit_code == 0
    assert Path("s").is_dir()


def test_the_next_pack_holds_what_the_last_one_lacked(
    run: Run, database: Path, reader: str
) -> None:
    assert "3 clips of 2 patients" in run("--database", database, "pack", "-o", "1").stderr
    nothing = run("--database", database, "pack", "--since-last", "-o", "2")
    assert nothing.exit_code == 66
    assert "nothing new since the last pack" in nothing.stderr
    both = run("--database", database, "pack", "--since-last", "--from", "2026-11-22", "-o", "3")
    assert both.exit_code == 2


def test_a_file_that_is_no_pack_is_told_so(run: Run) -> None:
    Path("notes.txt").write_text("my notes")
    refused = run("unpack", "notes.txt")
    assert refused.exit_code == 65
    assert "is no pack of edge-fea" in refused.stderr
    assert run("unpack", "none.edgefea").exit_code == 66


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (("--patient", "NOPE"), "no clips of patient NOPE for a pack: there are none"),
        (("--to", "2001-01-01"), "no clips for a pack in the period that was asked for"),
    ],
)
def test_without_a_clip_it_says_what_was_asked_for_in_the_words_of_whoever_asked(
    run: Run, database: Path, reader: str, asked: tuple[str, str], why: str
) -> None:
    nothing = run("--database", database, "pack", *asked, "-o", "1")
    assert nothing.exit_code == 66
    assert why in nothing.stderr
    assert "+00:00" not in nothing.stderr
