"""Other releases of edge-fea, made from a bundle: newer ones, and broken ones."""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

Change = Callable[[str, str], str]
"""(path in the wheel, text) -> text."""


def make_release(bundle: Path, folder: Path, version: str, change: Change | None = None) -> Path:
    """A copy of ``bundle`` that holds another version, changed where ``change`` says so."""
    copy_release(bundle, folder)
    (old,) = (folder / "wheels").glob("edge_fea-*.whl")
    former = old.name.split("-")[1]
    assert former != version, "the wheels of a copy are the original's own files"
    new = old.with_name(old.name.replace(former, version))
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            data = source.read(info)
            if info.filename.endswith((".py", "METADATA", "RECORD")):
                text = data.decode().replace(
                    f'__version__ = "{former}"', f'__version__ = "{version}"'
                )
                text = text.replace(f"Version: {former}\n", f"Version: {version}\n")
                text = text.replace(f"edge_fea-{former}.", f"edge_fea-{version}.")
                data = (change(info.filename, text) if change else text).encode()
            target.writestr(info.filename.replace(f"-{former}.", f"-{version}."), data)
    old.unlink()
    digest = hashlib.sha256(new.read_bytes()).hexdigest()
    for pins in (folder / "requirements").glob("*.txt"):
        lines = pins.read_text().splitlines()
        kept = [line for line in lines if not line.startswith("edge_fea==")]
        pins.write_text("\n".join([*kept, f"edge_fea=={version} --hash=sha256:{digest}", ""]))
    (folder / "RELEASE").write_text(f"{version}\n")
    write_sums(folder)
    return folder


def copy_release(bundle: Path, folder: Path) -> Path:
    """A copy that takes little room: its wheels are the original's own files."""
    return shutil.copytree(bundle, folder, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    # Wheels are large, and not changed in place.
    if source.endswith(".whl"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def write_sums(folder: Path) -> None:
    """SHA256SUMS anew."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(folder)}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "SHA256SUMS"
    ]
    (folder / "SHA256SUMS").write_text("\n".join([*lines, ""]))


def in_file(name: str, old: str, new: str) -> Change:
    """A change of one place in one file; a place that is not there fails the test."""

    def change(path: str, text: str) -> str:
        if path != name:
            return text
        assert old in text, f"{name} has no {old!r}"
        return text.replace(old, new)

    return change
