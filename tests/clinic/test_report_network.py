"""What the page says of the network comes from the network's own manifest, never from the page."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge_fea.clinic.report import render_html
from edge_fea.clinic.report.words import Words, languages
from edge_fea.clinic.selection import Selection
from edge_fea.config import Settings
from edge_fea.store.clips import ClipFilter, ClipReader
from edge_fea.vision.classifier import default_network
from tests.clinic.simulated import simulate
from tests.clinic.test_report_page import MADE, PLAN, text_of


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "clips.db"
    simulate(path, plan=PLAN)
    return path


def told(database: Path, folder: Path, language: str = "en", **changed: Any) -> str:
    """The text of a report where the network's manifest says something else."""
    manifest = json.loads(default_network().read_text()) | changed
    (folder / "other.json").write_text(json.dumps(manifest))
    settings = Settings.model_validate({"vision": {"network": folder / "other.json"}})
    with ClipReader(database, busy_timeout=1) as reader:
        selection = Selection(reader, ClipFilter())
        html = render_html(selection, settings, made=MADE, language=language)
    return text_of(html).replace("\xa0", " ")


def figure(low: float | None, high: float | None, data: str = "Ward pictures") -> dict[str, Any]:
    about = {"data": data, "measure": "accuracy", "value": 0.5123}
    return about | {"low": low, "high": high, "n": 4321}


def test_its_figures_and_their_intervals_are_the_manifests(database: Path, tmp_path: Path) -> None:
    shipped = json.loads(default_network().read_text())["figures"]
    before, after = told(database, tmp_path), told(database, tmp_path, figures=[figure(0.41, 0.62)])
    assert "Ward pictures 4321 51.2 % 41.0 to 62.0 %" in after
    for each in shipped:
        if each["measure"] == "accuracy":
            row = f"{each['n']} {100 * each['value']:.1f} % {100 * each['low']:.1f} to "
            assert row in before
            assert row not in after


def test_no_other_number_of_accuracy_is_on_the_page(database: Path, tmp_path: Path) -> None:
    """With the figures gone, nothing in the section of the network has a per cent sign."""
    text = told(database, tmp_path, figures=[], name="other")
    section = text[text.index(Words("en")("methods.model")) :].split("SHA-256")[0]
    assert "Network other. What was handed over with it states no measured accuracy" in section
    assert not re.search(r"\d\s*%", section)


def test_a_figure_without_an_interval_says_so(database: Path, tmp_path: Path) -> None:
    text = told(database, tmp_path, figures=[figure(None, None)])
    assert "Ward pictures 4321 51.2 % not stated" in text


@pytest.mark.parametrize("language", languages())
def test_its_limits_are_those_of_what_it_learnt_from(
    database: Path, tmp_path: Path, language: str
) -> None:
    words = Words(language)
    ours = told(database, tmp_path, language)
    for said in words.listed("methods.limits_learnt") + words.listed("methods.limits"):
        assert said in ours
    training = json.loads(default_network().read_text())["training"]
    training["data"] = ["KDEF", "Faces of a hospital"]
    other = told(database, tmp_path, language, training=training)
    for said in words.listed("methods.limits_learnt"):
        assert said not in other
    for said in words.listed("methods.limits_not_known"):
        assert said.replace("{data}", "KDEF; Faces of a hospital") in other


def test_of_a_network_that_is_not_here_nothing_is_taken_for_known(
    database: Path, tmp_path: Path
) -> None:
    words = Words("en")
    text = told(database, tmp_path, sha256="ef" * 32)
    assert "its measured accuracy cannot be shown here" in text
    for said in words.listed("methods.limits_learnt"):
        assert said not in text
    assert "not known to this report: –" in text
