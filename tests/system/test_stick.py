"""Real file systems on loop devices, written by the very command of edge-fea-usb@.service.

Each test makes an image file with mkfs, attaches it with losetup and runs `edge-fea stick write` as
root in a mount namespace of its own (unshare), with `nobody` as the unprivileged user. ext4 is
mounted by the kernel; exFAT too, or by exfat-fuse where the kernel has none; vfat where the kernel
has it, else by `make test-vfat` under Debian's kernel. Needs root, and Debian's
exfatprogs, exfat-fuse, dosfstools, and dmsetup for vfat.
"""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
import pytest

from tests.store.clip_factory import START
from tests.system.stick_room import KINDS, Room

pytestmark = [pytest.mark.system, pytest.mark.skipif(os.getuid() != 0, reason="mounts: needs root")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_stick_gets_what_is_new_since_its_last_pack(room: Room, kind: str) -> None:
    device, taken = room.stick(kind), room.folder / "taken"
    first = room.write(device)
    assert first.returncode == 0, first.stderr
    assert "1 clips, read back" in first.stdout
    assert room.sign() == "usb-done"
    (name,) = room.content(device, kind)

    again = room.write(device)
    assert again.returncode == 0, again.stderr
    assert "nothing new since its last pack" in again.stdout
    assert room.content(device, kind) == [name]

    time.sleep(1.1)  # names are told apart by the second
    since_then = (datetime.now(UTC) - START).total_seconds() / 60
    room.record(since_then, since_then + 5)
    assert room.write(device).returncode == 0
    names = room.content(device, kind, taken)
    assert len(names) == 2
    packs = [unpacked(room, taken / each) for each in names]
    assert [pack.count("\n") - 1 for pack in packs] == [1, 2]
    whose = {row["who"] for row in room.trail.rows()}
    assert len(whose) == 1
    assert whose.pop().startswith("stick:")


@pytest.mark.parametrize("kind", KINDS)
def test_a_stick_from_which_a_pack_was_removed_gets_its_clips_again(room: Room, kind: str) -> None:
    device = room.stick(kind)
    assert room.write(device).returncode == 0
    place = room.folder / "look"
    place.mkdir()
    subprocess.run(["mount", "-t", kind, device, place], check=True)
    for each in place.glob("*.edgefea"):
        each.unlink()
    subprocess.run(["umount", place], check=True)
    again = room.write(device)
    assert "1 clips, read back" in again.stdout, again.stderr
    assert len(room.content(device, kind)) == 1


def test_a_reader_who_is_new_finds_all_clips_on_a_stick_that_was_filled_before(room: Room) -> None:
    device, taken = room.stick("ext4"), room.folder / "taken"
    assert room.write(device).returncode == 0
    room.identity, former = pyrage.x25519.Identity.generate(), room.identity
    text = room.settings.read_text()
    room.settings.write_text(text.replace(str(former.to_public()), str(room.identity.to_public())))
    time.sleep(1.1)  # names are told apart by the second
    assert "1 clips, read back" in room.write(device).stdout
    newest = room.content(device, "ext4", taken)[-1]
    assert unpacked(room, taken / newest).count("\n") - 1 == 1


def unpacked(room: Room, pack: Path) -> str:
    """The clips of a pack, as a clinician gets at them."""
    key, folder = room.folder / "reader.txt", room.folder / pack.stem
    key.write_text(str(room.identity))
    key.chmod(0o600)
    command = [sys.executable, "-m", "edge_fea", "unpack", pack, "-i", key, "-o", folder]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (clips,) = folder.rglob("*.csv")
    return clips.read_text()


def test_only_the_reader_opens_it_and_a_flipped_bit_shows(room: Room) -> None:
    device, taken = room.stick("ext4"), room.folder / "taken"
    assert room.write(device).returncode == 0
    (name,) = room.content(device, "ext4", taken)
    stranger = room.folder / "stranger.txt"
    stranger.write_text(str(pyrage.x25519.Identity.generate()))
    stranger.chmod(0o600)
    unpack = [sys.executable, "-m", "edge_fea", "unpack"]
    refused = subprocess.run(
        [*unpack, taken / name, "-i", stranger, "-o", room.folder / "out"], check=False
    )
    assert refused.returncode == 65
    whole = bytearray((taken / name).read_bytes())
    whole[len(whole) // 2] ^= 0x10
    (taken / name).write_bytes(whole)
    own = room.folder / "own.txt"
    own.write_text(str(room.identity))
    own.chmod(0o600)
    damaged = subprocess.run(
        [*unpack, taken / name, "-i", own, "-o", room.folder / "out"], check=False
    )
    assert damaged.returncode == 65
    assert not (room.folder / "out").exists()


def test_a_stick_with_another_label_is_left_alone(room: Room) -> None:
    device = room.stick("ext4")
    subprocess.run(["e2label", device, "PRIVATE"], check=True)
    done = room.write(device)
    assert done.returncode == 77
    assert "not labelled EDGEFEA" in done.stderr
    assert room.content(device, "ext4") == []


def test_symbolic_links_on_the_stick_lead_nowhere(room: Room) -> None:
    device = room.stick("ext4")
    place, target = room.folder / "look", room.folder / "precious"
    place.mkdir()
    target.write_text("as it was")
    target.chmod(0o666)
    subprocess.run(["mount", device, place], check=True)
    now = datetime.now(UTC)
    for second in range(-5, 300):
        moment = now + timedelta(seconds=second)
        (place / f"edge-fea-ward-3-{moment:%Y%m%dT%H%M%SZ}.edgefea").symlink_to(target)
    subprocess.run(["umount", place], check=True)
    done = room.write(device)
    assert done.returncode == 73, done.stderr
    assert "is there already" in done.stderr
    assert target.read_text() == "as it was"


def test_a_pack_without_a_reader_is_refused(room: Room) -> None:
    text = room.settings.read_text()
    room.settings.write_text(text.replace(f'"{room.identity.to_public()}"', ""))
    device = room.stick("ext4")
    done = room.write(device)
    assert done.returncode == 77, done.stderr
    assert room.content(device, "ext4") == []
    assert ("pack", "refused", "NotAllowed") in room.outcomes()
