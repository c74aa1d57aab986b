"""The report: one self-contained page for a clinician, as HTML or PDF.

``render_html`` makes the page from a selection of clips, ``write_pdf`` the PDF from the page.
"""

import logging

# Before it is imported: accounts without a home of their own, such as the clinicians', would read
# each time that it keeps its list of fonts elsewhere.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

from edge_fea.clinic.report.page import render_html  # noqa: E402
from edge_fea.clinic.report.pdf import write_pdf  # noqa: E402

__all__ = ["render_html", "write_pdf"]
