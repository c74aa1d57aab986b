"""The page: whole in itself, honest about what is missing, and safe whatever it is given."""

import io
import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pypdf
import pytest

from edge_fea.clinic.report import render_html, write_pdf
from edge_fea.clinic.report.words import Words, languages
from edge_fea.clinic.selection import Selection
from edge_fea.config import Settings
from edge_fea.errors import ExtraMissing
from edge_fea.store.clips import ClipFilter, ClipReader
from tests.clinic.simulated import Plan, simulate


def _pango() -> bool:
    try:
        import weasyprint  # noqa: F401
    except OSError:
        return False
    return True


needs_pango = pytest.mark.skipif(not _pango(), reason="WeasyPrint finds no Pango here")

MADE = datetime(2026, 12, 1, 8, tzinfo=UTC)
PLAN = Plan(days=12, off_days=(3,), shift_day=None, turned_days=(), unsynchronized_day=5)


def page_of(path: Path, language: str | None = None) -> str:
    with ClipReader(path, busy_timeout=1) as reader:
        selection = Selection(reader, ClipFilter())
        return render_html(selection, Settings(), made=MADE, language=language)


def text_of(html: str) -> str:
    """What a reader sees, without charts and style."""
    seen = re.sub(r"<(svg|style|title)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", seen).split())


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "clips.db"
    simulate(path, plan=PLAN)
    return path


@pytest.fixture(scope="module")
def page(database: Path) -> str:
    return page_of(database)


def test_it_refers_to_nothing_outside_and_runs_nothing(page: str) -> None:
    assert re.findall(r'(?:src|href)="(?!#)', page) == []
    assert not re.search(r"url\((?!#)|@import|<script|<link|<iframe|\bon\w+=", page)
    assert "default-src 'none'" in page


def test_the_same_clips_and_moment_give_the_same_page(database: Path, page: str) -> None:
    assert page_of(database) == page


def test_it_is_well_formed(page: str) -> None:
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("meta", "br"):
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Checker().feed(page)
    assert open_tags == []


@pytest.mark.parametrize("language", languages())
def test_each_chart_has_a_title_and_a_description(database: Path, language: str) -> None:
    charts = re.findall(r"<svg .*?</svg>", page_of(database, language), re.DOTALL)
    assert len(charts) >= 7
    for chart in charts:
        assert 'role="img"' in chart
        title, description = (
            re.search(rf"<{tag} [^>]*>(.+?)</{tag}>", chart) for tag in ("title", "desc")
        )
        assert title is not None
        assert description is not None
        assert len(description[1]) > 60


def test_numbers_stand_above_the_cells_that_they_are_in(page: str) -> None:
    """What is drawn later covers what was drawn before."""
    for name in ("hours", "bands"):
        (chart,) = re.findall(rf'<svg [^>]*aria-labelledby="{name}-title.*?</svg>', page, re.DOTALL)
        cells = [found.start() for found in re.finditer(r'<path d="M[^"]*z M', chart)]
        numbers = [found.start() for found in re.finditer(r">(\d+|\d+ %)</text>", chart)]
        assert len(cells) >= 3
        assert sum(place > max(cells) for place in numbers) >= (14 * 8 if name == "hours" else 7)


@pytest.mark.parametrize("language", languages())
def test_it_says_what_it_is_not(database: Path, language: str) -> None:
    words, text = Words(language), text_of(page_of(database, language))
    assert text.count(words("page.not_diagnostic")) >= 1
    for said in words.listed("methods.not_texts") + words.listed("methods.limits"):
        assert said in text


def test_an_unset_clock_is_said_and_its_day_marked(page: str) -> None:
    text = text_of(page)
    assert "6 h were recorded while the clock was not known to be right" in text.replace(
        "\xa0", " "
    )
    assert "6 Sep°" in text


def test_two_days_say_that_they_are_too_few(tmp_path: Path) -> None:
    simulate(tmp_path / "clips.db", plan=replace(PLAN, days=2, unsynchronized_day=None))
    words, html = Words("en"), page_of(tmp_path / "clips.db")
    text = text_of(html)
    assert words("hours.few", need=3) in text
    assert words("short.change_few") in text
    assert words("usual.few", have=0, need=6) in text
    assert text.count(words("changes.few")) == 5
    assert words("trend.slope_few", name="Expressivity") in text
    assert "95 % interval" not in re.findall(r"<desc[^>]*expressions.*?</desc>", html)


def test_where_the_face_was_never_seen_no_chart_of_readings_is_drawn(tmp_path: Path) -> None:
    simulate(tmp_path / "clips.db", plan=replace(PLAN, days=4, seen=0.0))
    with closing(sqlite3.connect(tmp_path / "clips.db")) as db, db:
        db.execute("DELETE FROM clips WHERE sufficient = 1")
    html = page_of(tmp_path / "clips.db")
    assert re.findall(r'aria-labelledby="(\w+)-title', html) == ["days", "reasons", "map"]
    text = text_of(html)
    for key in ("expressions_chart", "trend", "bands", "notable"):
        assert Words("en")(f"{key}.few") in text
    assert "Most figures are therefore missing" in text


def test_without_a_baseline_it_says_what_it_compared_with(tmp_path: Path) -> None:
    simulate(tmp_path / "clips.db", plan=replace(PLAN, days=16), rule=None)
    text = text_of(page_of(tmp_path / "clips.db"))
    assert "the days of this period before the latest" in text
    assert "there was no baseline yet to compare with" in text


def test_another_network_is_said_and_its_accuracy_not_borrowed(tmp_path: Path) -> None:
    simulate(tmp_path / "clips.db", plan=replace(PLAN, days=4), network="cd" * 32)
    text = text_of(page_of(tmp_path / "clips.db"))
    assert "its measured accuracy cannot be shown here" in text
    assert "everyday pictures from the web" not in text


def test_a_changed_network_and_version_are_said(tmp_path: Path) -> None:
    later = replace(PLAN, days=6, first_day=PLAN.first_day.replace(day=6), unsynchronized_day=None)
    simulate(tmp_path / "clips.db", plan=replace(PLAN, days=5), network="cd" * 32)
    simulate(tmp_path / "clips.db", plan=later, app_version="0.2.0")
    html = page_of(tmp_path / "clips.db")
    text = text_of(html)
    assert "The network was replaced on 6 September 2026" in text
    assert "The software changed on 6 September 2026 (version 0.2.0)" in text
    assert "All readings are of the network in use now: since 6 September 2026;" in text
    assert "new network, new version" in html


def test_an_upgrade_that_was_undone_is_two_switches(tmp_path: Path) -> None:
    days = replace(PLAN, days=3, off_days=(), unsynchronized_day=None)
    old: dict[str, str] = {"network": "cd" * 32, "app_version": "0.1.0"}
    new: dict[str, str] = {"network": "ef" * 32, "app_version": "0.2.0"}
    for place, using in enumerate((old, new, old)):
        day = PLAN.first_day.replace(day=1 + 3 * place)
        simulate(tmp_path / "clips.db", plan=replace(days, first_day=day), **using)
    html = page_of(tmp_path / "clips.db")
    text = text_of(html)
    assert "The network was replaced on 4 September 2026 (efefefefefef)." in text
    assert "On 7 September 2026 an earlier network was put back (cdcdcdcdcdcd)." in text
    assert (
        "All readings are of the network in use now: 1 September to 3 September 2026 and since "
        "7 September 2026;" in text
    )
    assert "The software changed on 4 September 2026 (version 0.2.0)" in text
    assert "On 7 September 2026 the software went back to version 0.1.0" in text
    # On the chart of hours and on both of the trend.
    assert html.count("new network, new version") == 2 * 3
    assert "edge-fea 0.1.0, 0.2.0 ·" in text


def test_devices_that_record_by_turns_are_not_told_switch_by_switch(tmp_path: Path) -> None:
    simulate(tmp_path / "clips.db", plan=replace(PLAN, days=3, unsynchronized_day=None))
    with closing(sqlite3.connect(tmp_path / "clips.db")) as db, db:
        db.execute("UPDATE clips SET device_id = 'other', app_version = '9' WHERE rowid % 2")
    html = page_of(tmp_path / "clips.db")
    assert "Device other and efea-ward3-bed2" in text_of(html)
    assert re.search(r"The software changed \d+ times, 1 September to 3 September", text_of(html))
    assert html.count("other device") == 3


def test_a_report_over_new_year_dates_each_day_with_its_year(tmp_path: Path) -> None:
    plan = replace(PLAN, days=22, first_day=PLAN.first_day.replace(month=12, day=20))
    simulate(tmp_path / "clips.db", plan=plan)
    html = page_of(tmp_path / "clips.db").replace("\xa0", " ")
    text = text_of(html)
    assert "20 Dec 2026 – 10 Jan 2027" in text
    assert re.search(r"<td[^>]*>2 Jan 2027</td>", html)
    assert re.search(r"own baseline, 20 Dec 2026 – \d Jan 2027\)", text)
    # Week rows, clips that stand out and the axes of charts.
    assert re.search(r'<td class="l">28 Dec 2026</td>', html)
    assert re.search(r'<td class="l n">\d+ (?:Dec 2026|Jan 2027), ', html)
    assert not re.search(r">\d+ (?:Dec|Jan)</text>", html)


def test_whoever_subtracts_gets_the_difference_that_is_printed(tmp_path: Path) -> None:
    simulate(tmp_path / "clips.db", plan=replace(PLAN, days=18, shift_day=14))
    html = page_of(tmp_path / "clips.db").replace("\xa0", " ").replace("\N{MINUS SIGN}", "-")
    rows = re.findall(r'<tr><td class="l">(.*?)</tr>', html, re.DOTALL)
    told = [re.sub(r"<[^>]+>", "|", row).split("|") for row in rows]
    by_name = {cells[0]: [each for each in cells if each.strip()] for cells in told}
    for name in ("Negative expressions", "Expressivity", "Happy", "Facial movement"):
        before, after, difference = (
            round(10 * float(cell.removesuffix(" %"))) for cell in by_name[name][1:4]
        )
        assert after - before == difference
    _, before, after, difference, *_ = by_name["Time seen a day"]
    minutes = [60 * int(h) + int(m) for h, m in re.findall(r"(\d+) h (\d+) min", before + after)]
    assert f"{minutes[1] - minutes[0]:+} min" == difference


def test_in_short_names_the_days_that_it_compares_with(tmp_path: Path) -> None:
    simulate(tmp_path / "clips.db", plan=replace(PLAN, days=50, shift_day=20))
    start = datetime(2026, 10, 14, tzinfo=UTC)
    with ClipReader(tmp_path / "clips.db", busy_timeout=1) as reader:
        html = render_html(Selection(reader, ClipFilter(start)), Settings(), made=MADE)
    text = text_of(html).replace("\xa0", " ")
    short = text[text.index("In short") : text.index("How much was seen")]
    assert re.search(
        r"Expressivity No clear difference from usual \(\d+ Sep – 13 Oct\): [0-9.]+ % in the last "
        r"7 days that count against [0-9.]+ %. ▼ Lower than in the first baseline "
        r"\(1 Sep – \d+ Sep, [0-9.]+ %\)",
        short,
    )
    assert re.search(r"Against usual: \d+ days, \d+ Sep – 13 Oct", text)
    assert re.search(r"Against the patient&#39;s first baseline: \d+ days, 1 Sep – ", text)


def test_a_report_that_is_to_begin_before_the_device_did_says_when_it_began(
    database: Path,
) -> None:
    with ClipReader(database, busy_timeout=1) as reader:
        wanted = ClipFilter(start=datetime(2020, 1, 1, tzinfo=UTC))
        html = render_html(Selection(reader, wanted), Settings(), made=MADE)
    text = text_of(html)
    assert "No recordings before 1 September 2026." in text
    assert "clocks changed" not in text
    assert "1 September to 12 September 2026 (12 days)" in text


def test_a_clip_that_stands_out_is_shown_beside_what_was_usual_then(page: str) -> None:
    """Chosen by the baseline of its time, it need not be the most extreme of the period."""
    rows = re.findall(r'<tr><td class="l n">.*?</tr>', page.replace("\xa0", " "), re.DOTALL)
    assert len(rows) >= 6
    for row in rows:
        assert len(re.findall(r"usual then: \d+ %", row)) == 2
        assert re.search(r"(?:more|less) (?:negative|expressive) than usual then", row)


def test_after_a_step_the_trend_points_to_what_changed(tmp_path: Path) -> None:
    """Too late for the weeks to rise or fall, and yet the first page says higher."""
    simulate(tmp_path / "clips.db", plan=replace(PLAN, days=46, shift_day=39))
    text = text_of(page_of(tmp_path / "clips.db"))
    assert "as after a step: see “What changed” on the first page." in text


def test_more_days_than_a_table_lists_are_said_to_be_in_weeks(tmp_path: Path) -> None:
    simulate(tmp_path / "clips.db", plan=replace(PLAN, days=126, off_days=tuple(range(4, 124))))
    text = text_of(page_of(tmp_path / "clips.db"))
    assert "This period has 126 days. Day by day a report lists at most 124" in text
    assert "Day by day Average" not in text


@pytest.mark.parametrize("language", languages())
def test_one_look_has_one_meaning(database: Path, language: str) -> None:
    """Hatching is "too little to count" alone; a ring at a date is explained where it stands."""
    html = page_of(database, language)
    assert set(re.findall(r'<pattern [^>]*id="(\w+)-', html)) == {"days"}
    first, *others = html.split("<section>")[1:]
    assert "°" not in first
    for section in others:
        assert section.count("°") != 1


EVIL = "<script>alert(1)</script>\"'}</style>{{7*7}}"


def test_a_pseudonym_and_a_device_are_text_whatever_they_hold(tmp_path: Path) -> None:
    plan = replace(PLAN, days=2)
    simulate(tmp_path / "clips.db", plan=plan, patient=EVIL, device=f"<img src=x>{EVIL}")
    html = page_of(tmp_path / "clips.db")
    assert "<script" not in html
    assert "<img" not in html
    assert html.count("</style>") == 1
    assert "&lt;script&gt;alert(1)" in html
    assert "{{7*7}}" in text_of(html)


def test_an_unknown_zone_in_the_database_breaks_nothing(tmp_path: Path) -> None:
    simulate(tmp_path / "clips.db", plan=replace(PLAN, days=2))
    with closing(sqlite3.connect(tmp_path / "clips.db")) as db, db:
        db.execute("UPDATE clips SET zone = 'Mars/../../etc/passwd'")
    assert "Mars" in text_of(page_of(tmp_path / "clips.db"))


def test_the_language_is_that_of_the_settings_unless_told(database: Path) -> None:
    settings = Settings.model_validate({"clinic": {"language": "de"}})
    with ClipReader(database, busy_timeout=1) as reader:
        html = render_html(Selection(reader, ClipFilter()), settings, made=MADE)
    assert '<html lang="de">' in html
    assert "Kurz gefasst" in html


@needs_pango
def test_the_pdf_holds_the_page_and_is_tagged(page: str) -> None:
    out = io.BytesIO()
    write_pdf(page, out)
    reader = pypdf.PdfReader(out)
    text = " ".join(" ".join(each.extract_text() for each in reader.pages).split())
    assert "Patient P07" in text
    assert Words("en")("methods.not_texts") != text
    assert "Not a rating scale" in text
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]


@needs_pango
def test_a_pdf_fetches_nothing(page: str) -> None:
    from weasyprint.urls import FatalURLFetchingError

    for url in ("http://example.com/x.png", "file:///etc/hostname"):
        with pytest.raises(FatalURLFetchingError):
            write_pdf(page.replace("<body", f'<img src="{url}"><body', 1), io.BytesIO())


def test_a_missing_weasyprint_names_the_extra(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(ExtraMissing, match="extra `report`"):
        write_pdf(page, io.BytesIO())
