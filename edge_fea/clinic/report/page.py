"""One self-contained page: no script, no link, nothing that is fetched."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from edge_fea.clinic.report import (
    alternatives,
    charts_coverage,
    charts_readings,
    charts_time,
    sentences,
    tables,
)
from edge_fea.clinic.report.equipment import changes_of_equipment, names
from edge_fea.clinic.report.findings import LEAST_DAYS, Findings, findings
from edge_fea.clinic.report.unhurried import uncollected
from edge_fea.clinic.report.words import Words
from edge_fea.clinic.selection import Selection
from edge_fea.config import Settings
from edge_fea.vision.classifier import default_network
from edge_fea.vision.manifest import Manifest


def render_html(
    selection: Selection, settings: Settings, *, made: datetime, language: str | None = None
) -> str:
    """The report on the selected clips, which must be of one patient, as one HTML page.

    ``made`` is the moment that it says it was made; ``language`` is a code such as ``de``, or the
    path of a catalogue, and the settings' ``clinic.language`` where it is None. The same clips,
    settings and moment give the same page.

    Raises NotFoundError without a clip or for an unknown language, UnclearError with more than one
    patient, ConfigError for a faulty catalogue, NetworkInvalid where the network that is installed
    has no valid manifest.
    """
    with uncollected():
        return _page(selection, settings, made, Words(language or settings.clinic.language))


def _page(selection: Selection, settings: Settings, made: datetime, words: Words) -> str:
    manifest = Manifest.read(settings.vision.network or default_network())
    least_dayparts = settings.baseline.least_dayparts
    found = findings(selection, made=made, least_dayparts=least_dayparts)
    words = words.spanning(found.dates)
    same_network = manifest.sha256 == found.network
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["css"] = css_string
    template = environment.get_template("template.html.j2")
    return template.render(
        words=words,
        f=found,
        head=_head(found, words, made),
        charts=_charts(found, words),
        points=sentences.in_short(found, words, least_dayparts),
        cares=sentences.cares(found, words),
        changes=sentences.change_blocks(found, words),
        changes_note=sentences.changes_note(found, words),
        usual_note=sentences.usual_note(found, words),
        clock_changes=[
            (words.day(day.day), words.whole(day.length_h))
            for day in charts_coverage.clock_changes(found.coverage)
        ],
        off_days=sum(day.recorded_h == 0 for day in found.coverage.days),
        trends=sentences.trend_sentences(found, words),
        contrast=sentences.contrast_sentence(found, words),
        labels=[words(f"expressions.{label}") for label in charts_readings.EXPRESSIONS],
        weeks=tables.week_rows(found, words),
        days=tables.day_rows(found, words),
        most_days=tables.MOST_DAYS,
        notable=tables.notable_rows(found, words),
        manifest=manifest,
        versions=names(found.versions),
        same_network=same_network,
        accuracy=tables.accuracy_rows(manifest, words),
        limits=tables.limits(manifest if same_network else None, words),
        parts=least_dayparts,
        least_days=LEAST_DAYS,
    )


def _head(found: Findings, words: Words, made: datetime) -> Mapping[str, Any]:
    days = found.coverage.days
    first, last = days[0].day, days[-1].day
    return {
        "patient": words("page.patient", patient=found.patient),
        "period": words(
            "page.period_value",
            days=words.days(first, last),
            count=words.counted("page.days", len(days)),
        ),
        "short_period": words.short_days(first, last, year=True),
        "devices": words.joined(names(found.devices)),
        "made": words.moment(made.astimezone(found.end.tzinfo)),
        "clip_minutes": words("page.minutes", count=words.number(found.clip_minutes, 0)),
    }


def _charts(found: Findings, words: Words) -> dict[str, Markup | None]:
    """Each chart as SVG, None where there is too little to draw."""
    changes = changes_of_equipment(found, words)
    scored, valid = found.scored_clips > 0, bool(found.period)
    by_hour = any(hour.figures for hour in found.hours)
    usual = any(change.usual is not None for change in found.comparison.changes)
    coverage, clips = found.coverage, found.scored_clips
    drawn = {
        "days": charts_coverage.seen_by_day(
            coverage, changes, words, alternatives.seen_by_day(found, words)
        ),
        "reasons": charts_coverage.reasons(coverage, words, alternatives.reasons(found, words)),
        "map": charts_coverage.seen_by_hour_of_day(
            coverage, words, alternatives.seen_by_hour_of_day(found, words)
        )
        if any(hour.recorded_s for hour in found.hours)
        else None,
        "expressions": charts_readings.expressions(
            found.period, words, alternatives.expressions(found, words)
        )
        if valid
        else None,
        "usual": charts_readings.against_usual(
            found.comparison, words, alternatives.against_usual(found, words)
        )
        if usual
        else None,
        "hours": charts_time.by_hour(found.hours, words, alternatives.by_hour(found, words))
        if by_hour
        else None,
        "trend": charts_time.over_time(found, changes, words, alternatives.over_time(found, words))
        if valid
        else None,
        "bands": charts_readings.durations(
            found.bands, clips, words, alternatives.durations(found, words)
        )
        if scored
        else None,
    }
    # The charts escape what they show themselves: they are made by an XML library.
    return {name: Markup(svg) if svg else None for name, svg in drawn.items()}  # noqa: S704


def css_string(text: str) -> str:
    """Text for a string within CSS: whatever is no letter or digit as its code point."""
    return "".join(
        each if each.isascii() and each.isalnum() else f"\\{ord(each):06x}" for each in text
    )
