"""A clip summary: whose, when and where, and what was seen."""

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from edge_fea.summary.clip import ClipFigures


class EndedBy(StrEnum):
    """Why a clip ended where it did."""

    FULL = "full"
    STOP = "stop"
    PAUSE = "pause"
    POWER_LOSS = "power_loss"
    CAMERA_LOST = "camera_lost"


@dataclass(frozen=True, slots=True)
class Recording:
    """What all clips of one recording have in common."""

    device_id: str
    patient: str
    app_version: str
    model_sha256: str
    zone: str
    source: str
    frame_rate: float
    boot_id: str | None
    """None for a recorded file, which has nothing to do with this boot."""


@dataclass(frozen=True, slots=True)
class ClipSummary:
    """One row of the table ``clips``."""

    clip_id: str
    recording: Recording
    start: datetime
    """Aware, UTC."""

    start_monotonic_s: float
    """The same moment on the source's clock that never jumps: of one boot, or of one file."""

    utc_offset: str
    """Of the recording's zone at the start, such as ``+01:00``."""

    clock_synchronized: bool | None
    """Whether the wall clock was right at the start; None for a recorded file."""

    figures: ClipFigures
    ended_by: EndedBy | None
    """None while the clip is running."""


def clip_id(start: datetime, seed: bytes | None = None) -> str:
    """A UUID of version 7 (RFC 9562): sorts by ``start``, the rest random, or made of ``seed``.

    With the same seed and start the id is the same, so that analysing a recorded file twice gives
    the same clips and not twice as many.
    """
    rest = secrets.token_bytes(10) if seed is None else hashlib.sha256(seed).digest()[:10]
    milliseconds = int(start.timestamp() * 1000)
    value = bytearray(milliseconds.to_bytes(6, "big") + rest)
    value[6] = 0x70 | value[6] & 0x0F
    value[8] = 0x80 | value[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(value)))
