"""The report in a real browser, and on paper: Debian's Chromium, without a screen."""

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest
from click.testing import CliRunner
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.print_page_options import PrintOptions

from edge_fea.cli import cli
from edge_fea.clinic.report.drawing import PAGE_MM
from edge_fea.clinic.report.words import Words, languages
from tests.clinic.simulated import simulate

pytestmark = pytest.mark.system

CHARTS = ["days", "reasons", "expressions", "usual", "hours", "map", "trend", "bands"]
# A4 at 96 pixels an inch.
A4_PIXELS = (794, 1123)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
        f"--window-size={A4_PIXELS[0]},{A4_PIXELS[1]}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety days with gaps, a change for good, and the end of summer time."""
    path = tmp_path_factory.mktemp("report") / "clips.db"
    simulate(path)
    return path


@pytest.fixture(scope="module")
def made(database: Path) -> dict[tuple[str, str], Path]:
    """The report in every language, as HTML and as PDF."""
    files = {}
    settings = database.with_name("settings.toml")
    settings.write_text('[device]\ntime_zone = "Europe/Berlin"\n')
    for language in languages():
        for form in ("html", "pdf"):
            path = database.with_name(f"{language}.{form}")
            arguments = ["--config", str(settings), "--database", str(database), "report"]
            arguments += ["--language", language, "-o", str(path)]
            done = CliRunner().invoke(cli, [*arguments, "--pdf"] if form == "pdf" else arguments)
            assert done.exit_code == 0, done.output
            files[language, form] = path
    return files


def shown(browser: webdriver.Chrome, path: Path) -> list[dict[str, Any]]:
    """Open a page; what the browser did meanwhile."""
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(path.as_uri())
    return [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]


def printed(browser: webdriver.Chrome) -> pypdf.PdfReader:
    """The page that is open, as the browser prints it."""
    options = PrintOptions()
    options.background = True
    # Size and margins are those that the page itself asks for.
    command = {"printBackground": True, "preferCSSPageSize": True}
    data = browser.execute_cdp_cmd("Page.printToPDF", command)["data"]
    return pypdf.PdfReader(io.BytesIO(base64.b64decode(data)))


def numbers(text: str) -> list[str]:
    """Every number with a decimal place, in order of size: the figures of a report."""
    return sorted(re.findall(r"\d+[.,]\d", text))


@pytest.mark.parametrize("language", languages())
def test_it_asks_for_nothing_and_complains_of_nothing(
    browser: webdriver.Chrome, made: dict[tuple[str, str], Path], language: str
) -> None:
    page = made[language, "html"]
    done = shown(browser, page)
    asked = [
        event["params"]["request"]["url"]
        for event in done
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked == [page.as_uri()]
    assert browser.get_log("browser") == []
    assert browser.find_elements(By.TAG_NAME, "script") == []
    assert page.stat().st_size < 1_500_000


@pytest.mark.parametrize("language", languages())
def test_each_chart_has_a_text_alternative(
    browser: webdriver.Chrome, made: dict[tuple[str, str], Path], language: str
) -> None:
    shown(browser, made[language, "html"])
    charts = browser.find_elements(By.CSS_SELECTOR, "figure svg")
    names = [str(chart.get_attribute("aria-labelledby")).split("-")[0] for chart in charts]
    assert sorted(names) == sorted(CHARTS)
    for chart in charts:
        assert chart.aria_role in ("img", "image")
        assert len(chart.accessible_name) > 60, chart.accessible_name


@pytest.mark.parametrize("language", languages())
def test_no_id_stands_twice_and_nothing_sticks_out(
    browser: webdriver.Chrome, made: dict[tuple[str, str], Path], language: str
) -> None:
    shown(browser, made[language, "html"])
    ids = browser.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    for width in (A4_PIXELS[0], 390):
        browser.set_window_size(width, A4_PIXELS[1])
        sections = browser.find_elements(By.TAG_NAME, "section")
        for place, section in enumerate(sections):
            inner, outer = (section.get_property(f"{name}Width") for name in ("scroll", "client"))
            assert inner <= outer, (place, width)
    browser.set_window_size(*A4_PIXELS)


@pytest.mark.parametrize("language", languages())
def test_the_browser_prints_what_the_pdf_holds(
    browser: webdriver.Chrome, made: dict[tuple[str, str], Path], language: str
) -> None:
    shown(browser, made[language, "html"])
    paper, file = printed(browser), pypdf.PdfReader(made[language, "pdf"])
    texts = [[page.extract_text() for page in each.pages] for each in (paper, file)]
    assert len(texts[0]) == len(texts[1]) == 6
    for of_paper, of_file in zip(*texts, strict=True):
        assert numbers(of_paper) == numbers(of_file)
    for each in (paper, file):
        for page in each.pages:
            assert (round(page.mediabox.width), round(page.mediabox.height)) == (595, 842)


@pytest.mark.parametrize("language", languages())
def test_the_overview_fits_on_one_page_and_says_what_it_is_not(
    made: dict[tuple[str, str], Path], language: str
) -> None:
    words = Words(language)
    first, *others = pypdf.PdfReader(made[language, "pdf"]).pages
    text = " ".join(first.extract_text().split())
    for heading in ("short", "days", "expressions_chart", "usual", "changes"):
        assert words(f"{heading}.heading") in text
    assert text.index(words("changes.verdict")) > text.index(words("usual.heading")[:10])
    for page in (first, *others):
        assert words("page.not_diagnostic") in " ".join(page.extract_text().split())
    assert PAGE_MM == 180.0
