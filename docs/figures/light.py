"""Draws light.svg, all signs of the light as bars of time: python docs/figures/light.py.

A test holds the drawing to the signs.
"""

import sys
from html import escape
from pathlib import Path

from edge_fea.device.lights import SIGNS, Sign

SECONDS = 10.0
_LEFT, _PER_SECOND, _ROW, _TOP, _TEXT = 20, 34, 34, 56, 380


def draw() -> str:
    """The drawing, as SVG."""
    height = _TOP + _ROW * len(SIGNS) + 16
    width = _TEXT + 500
    rows = "\n".join(_row(sign, _TOP + _ROW * number) for number, sign in enumerate(SIGNS))
    marks = "\n".join(
        f'<text x="{_LEFT + second * _PER_SECOND:g}" y="46" class="t">{second:g} s</text>'
        for second in (0, 5)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>What the light does, in ten seconds, and what it means</title>
<style>
text {{ font: 14px sans-serif; fill: #222 }}
.h {{ font-weight: bold }}
.t {{ font-size: 11px; fill: #666 }}
.on {{ fill: #f2b200 }}
.dark {{ fill: #3b3f46 }}
</style>
<rect width="{width}" height="{height}" fill="#fff"/>
<text x="{_LEFT}" y="26" class="h">Ten seconds of the light</text>
<text x="{_TEXT}" y="26" class="h">What it means</text>
{marks}
{rows}
</svg>
"""


def _row(sign: Sign, top: int) -> str:
    bars = [
        f'<rect x="{_LEFT}" y="{top}" width="{SECONDS * _PER_SECOND:g}" height="18" class="dark"/>'
    ]
    time = 0.0
    while time < SECONDS:
        for on, seconds in sign.steps:
            lit = min(time + seconds, SECONDS) - time
            if on and lit > 0:
                x = _LEFT + time * _PER_SECOND
                bars.append(
                    f'<rect x="{x:.1f}" y="{top}" width="{lit * _PER_SECOND:.1f}" height="18" '
                    'class="on"/>'
                )
            time += seconds
    text = f'<text x="{_TEXT}" y="{top + 14}">{escape(sign.means)}</text>'
    return "\n".join([*bars, text])


if __name__ == "__main__":
    target = Path(__file__).with_suffix(".svg")
    target.write_text(draw(), encoding="utf-8")
    sys.stdout.write(f"{target}\n")
