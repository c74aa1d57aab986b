"""The page as PDF, by WeasyPrint."""

import logging
import re
from base64 import b64encode
from html import escape, unescape
from typing import BinaryIO, Final

from edge_fea.clinic.report.unhurried import uncollected
from edge_fea.errors import ExtraMissing


def write_pdf(html: str, out: BinaryIO) -> None:
    """Write a report's page as an A4 PDF.

    Raises ExtraMissing where WeasyPrint, or a library of the system that it needs, is missing.
    """
    with uncollected():
        _write(html, out)


def _write(html: str, out: BinaryIO) -> None:
    try:
        import weasyprint  # type: ignore[import-untyped]
    except (ImportError, OSError) as error:
        raise ExtraMissing(
            "PDF needs WeasyPrint: install edge-fea with the extra `report`, and Pango "
            f"(libpango-1.0-0, libpangoft2-1.0-0) with the system's packages ({error})"
        ) from error
    # It warns of CSS for screens, which a printer has no use for.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    # A report is whole in itself: whatever asks for more than its charts is refused.
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=["data"], fail_on_errors=True)
    page = weasyprint.HTML(string=_CHART.sub(_as_image, html), url_fetcher=fetcher)
    page.write_pdf(out, pdf_tags=True)


# Within the page every part of a chart would be styled as HTML first, which takes longer than all
# the rest; as images they stay drawings with their text, and keep the text alternative.
_CHART: Final = re.compile(r"<svg .*?</svg>", re.DOTALL)
_ALTERNATIVE: Final = re.compile(r"<desc[^>]*>(.*?)</desc>", re.DOTALL)


def _as_image(found: re.Match[str]) -> str:
    described = _ALTERNATIVE.search(found[0])
    text = escape(unescape(described[1])) if described else ""
    chart = b64encode(found[0].encode()).decode()
    return f'<img alt="{text}" src="data:image/svg+xml;base64,{chart}">'
