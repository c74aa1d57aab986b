"""The architecture, held by a test: which wing may import which."""

import ast
from pathlib import Path

import pytest

import edge_fea

ROOT = Path(edge_fea.__file__).parent
WINGS = ["capture", "vision", "summary", "store", "clinic", "device", "cli"]
GROUND = {"emotions", "config", "errors"}


def imports(file: Path) -> set[str]:
    """The parts of edge_fea that a file imports: wings or ground floor modules."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = (
                [node.module]
                if node.module != "edge_fea"
                else [f"edge_fea.{alias.name}" for alias in node.names]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("edge_fea.")}
    return found - {"__version__"}


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_data_walk_one_way(file: Path) -> None:
    home = file.relative_to(ROOT).parts[0]
    allowed = set(GROUND)
    if home in WINGS:
        allowed |= set(WINGS[: WINGS.index(home) + 1])
    elif home == "__main__.py":
        allowed |= {"cli"}
    assert imports(file) <= allowed


def test_summary_is_pure() -> None:
    """No clock, no files, nothing but numpy."""
    forbidden = {"os", "time", "pathlib", "sqlite3", "cv2", "logging", "random"}
    for file in (ROOT / "summary").glob("*.py"):
        tree = ast.parse(file.read_text())
        modules = {
            alias.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {
            (node.module or "").split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
        }
        assert modules.isdisjoint(forbidden), file


def test_the_device_knows_no_tensorflow() -> None:
    for file in FILES:
        text = file.read_text()
        assert "import tensorflow" not in text
        assert "import keras" not in text


def test_files_stay_near_300_lines() -> None:
    long = {file.name: n for file in FILES if (n := len(file.read_text().splitlines())) > 330}
    assert long == {}
