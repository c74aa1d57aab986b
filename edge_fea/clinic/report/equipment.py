"""What a report says of changes of the network, the software and the device."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from edge_fea.clinic.report.findings import Findings
from edge_fea.clinic.report.reading import Use
from edge_fea.clinic.report.words import Words

# Two devices that record by turns change over with every clip: nobody reads them one by one.
_MOST_SWITCHES: Final = 6


def names(uses: Sequence[Use]) -> list[str]:
    """Each name once, in the order of its first use."""
    return list(dict.fromkeys(use.name for use in uses))


def equipment(findings: Findings, words: Words) -> list[str]:
    """Each switch of the network and the software, and which devices there were."""
    found = []
    if len(findings.networks) > 1:
        found += _switches("network", findings.networks, words)
        found.append(words("care.network_readings", spans=_in_use(findings, words)))
    if len(findings.versions) > 1:
        found += _switches("version", findings.versions, words)
    if len(findings.devices) > 1:
        devices = words.joined(names(findings.devices))
        found.append(words("care.devices", devices=devices))
    return found


def _switches(kind: str, uses: Sequence[Use], words: Words) -> list[str]:
    count = len(uses) - 1
    if count > _MOST_SWITCHES:
        first, last = uses[1].first.date(), uses[-1].first.date()
        return [words(f"care.{kind}_often", count=words.whole(count), days=words.days(first, last))]
    found = []
    for place, use in enumerate(uses[1:], 1):
        way = "back" if use.name in names(uses[:place]) else "new"
        day = words.day(use.first.date())
        found.append(words(f"care.{kind}_{way}", day=day, name=use.name[:12]))
    return found


def _in_use(findings: Findings, words: Words) -> str:
    """When the latest network was in use, whose readings alone are shown."""
    *earlier, last = [use for use in findings.networks if use.name == findings.network]
    since = words("care.since", day=words.day(last.first.date()))
    if len(earlier) >= _MOST_SWITCHES:
        first = words("care.since", day=words.day(earlier[0].first.date()))
        return words("care.with_breaks", since=first)
    spans = [words.days(use.first.date(), use.last.date()) for use in earlier]
    return words.joined([*spans, since])


def changes_of_equipment(findings: Findings, words: Words) -> dict[date, str]:
    """On which days the network, the software or the device changed."""
    kinds = (
        ("trend.network", findings.networks),
        ("trend.version", findings.versions),
        ("trend.device", findings.devices),
    )
    found: dict[date, list[str]] = {}
    for key, uses in kinds:
        switches = uses[1:] if len(uses) - 1 <= _MOST_SWITCHES else uses[1:2]
        for day in dict.fromkeys(use.first.date() for use in switches):
            found.setdefault(day, []).append(words(key))
    return {day: ", ".join(texts) for day, texts in found.items()}
