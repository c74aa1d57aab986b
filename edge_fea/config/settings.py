"""The sections of the settings, their defaults, bounds and descriptions.

Unknown keys are refused everywhere. Each section is a pydantic model whose fields carry their
description and bounds; ``deploy/edge-fea.toml`` is generated from them (``edge-fea config
--default``), so file, documentation and validation cannot drift apart.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from edge_fea.config.backup import BackupSettings
from edge_fea.config.indicator import IndicatorSettings
from edge_fea.config.section import OptionalPath
from edge_fea.config.section import Section as _Section
from edge_fea.config.section import number as _number
from edge_fea.config.section import text as _text

SHORTEST_CLIP_S, LONGEST_CLIP_S = 300.0, 600.0
UNASSIGNED = "unassigned"
"""Whose clips nobody's are."""


class CaptureSettings(_Section):
    """Where frames come from."""

    source: Annotated[
        Literal["picamera2", "webcam", "video", "pictures"],
        Field(description="Which kind of source `edge-fea run` reads."),
    ] = "picamera2"
    camera: Annotated[int, _number(0, 7, "Number of the Pi camera.")] = 0
    device: Annotated[str, Field(description="Device of a webcam.")] = "/dev/video0"
    path: Annotated[
        OptionalPath, Field(description="File of source video, folder of source pictures.")
    ] = None
    width: Annotated[int, _number(320, 3840, "Width of a frame, pixels.")] = 1280
    height: Annotated[int, _number(240, 2160, "Height of a frame, pixels.")] = 960
    frame_rate: Annotated[float, _number(1, 30, "Frames due in a second.")] = 4.0
    timeout_s: Annotated[
        float, _number(1, 60, "Seconds without a frame after which the camera has stalled.")
    ] = 5.0
    rotation: Annotated[
        Literal[0, 90, 180, 270],
        Field(description="Degrees, clockwise, by which the picture is turned to be upright."),
    ] = 0
    mirror: Annotated[
        bool, Field(description="Swap left and right, once the picture is upright.")
    ] = False
    exposure: Annotated[
        Literal["normal", "long"],
        Field(description="long lets the Pi camera expose up to 120 ms, for dim rooms."),
    ] = "normal"

    @model_validator(mode="after")
    def _path_where_needed(self) -> Self:
        if self.source in ("video", "pictures") and self.path is None:
            raise ValueError(f"capture.path is needed with source {self.source}")
        return self


class QualitySettings(_Section):
    """When a face can be read. The figures are defined in edge_fea/vision/quality.py."""

    minimum_face: Annotated[
        int, _number(32, 1000, "Smallest side of a readable face's box, pixels of the frame.")
    ] = 64
    dark_below: Annotated[float, _number(0, 255, "Mean luma of a face that is too dark.")] = 30.0
    bright_above: Annotated[float, _number(0, 255, "Mean luma of a face that is too bright.")] = (
        225.0
    )
    saturated_above: Annotated[
        float, _number(0, 1, "Share of burnt-out pixels of a face that is too bright.")
    ] = 0.35
    sharpness_below: Annotated[float, _number(0, 10, "Sharpness of a blurred face.")] = 0.05
    symmetry_below: Annotated[float, _number(-1, 1, "Symmetry of a face that is turned away.")] = (
        0.25
    )
    dark_frame_below: Annotated[
        float, _number(0, 255, "Mean luma of a frame in which no face can be found.")
    ] = 16.0
    saturated_frame_above: Annotated[
        float, _number(0, 1, "Burnt-out share of a frame in which no face can be found.")
    ] = 0.6


class VisionSettings(_Section):
    """From a frame to probabilities."""

    network: Annotated[
        OptionalPath,
        Field(description="Manifest (.json) of another network than the one that ships."),
    ] = None
    runtime: Annotated[
        Literal["auto", "ai-edge-litert", "tflite-runtime"],
        Field(description="Which TFLite runtime; auto takes the first that is installed."),
    ] = "auto"
    threads: Annotated[int, _number(1, 8, "Threads for detection and network.")] = 1
    zone: Annotated[
        tuple[float, float, float, float],
        Field(description="Where the patient's face can be: left, top, right, bottom, 0 to 1."),
    ] = (0.0, 0.0, 1.0, 1.0)
    full_search_s: Annotated[
        float,
        _number(0.2, 60, "Seconds between searches of the whole frame while a face is held."),
    ] = 5.0
    absent_search_s: Annotated[
        float,
        _number(0, 10, "Seconds between searches of the whole frame while no face is held."),
    ] = 1.0
    hold_s: Annotated[
        float, _number(0, 60, "Seconds that a lost face's place is kept for the patient.")
    ] = 3.0
    still_s: Annotated[
        float, _number(10, 3600, "Seconds without any movement that make a face a photograph.")
    ] = 60.0
    still_change: Annotated[
        float, _number(0.001, 1, "Largest local change of a face that is no movement.")
    ] = 0.03
    quality: QualitySettings = QualitySettings()

    @field_validator("zone")
    @classmethod
    def _zone_in_frame(
        cls, zone: tuple[float, float, float, float]
    ) -> tuple[float, float, float, float]:
        left, top, right, bottom = zone
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError(
                "must be [left, top, right, bottom] with 0 <= left < right <= 1 and "
                f"0 <= top < bottom <= 1 (shares of the frame), not {list(zone)}"
            )
        return zone


class ClipSettings(_Section):
    """The window that is averaged, and when it may carry scores."""

    length_s: Annotated[
        float, _number(5, LONGEST_CLIP_S, "Length of a clip, seconds: 300 to 600.")
    ] = 300.0
    checkpoint_s: Annotated[
        float, _number(1, 300, "Seconds of the open clip that a pulled plug may cost.")
    ] = 30.0
    sufficient_coverage: Annotated[
        float, _number(0, 1, "Share of a clip's seconds that must be valid for scores.")
    ] = 0.5
    sufficient_seconds: Annotated[
        int, _number(2, 600, "Valid seconds that a clip must have for scores.")
    ] = 60
    development: Annotated[
        bool, Field(description="Allows clips shorter than 300 s. Never on a patient's device.")
    ] = False

    @model_validator(mode="after")
    def _length_allowed(self) -> Self:
        if self.length_s < SHORTEST_CLIP_S and not self.development:
            raise ValueError(
                f"clip.length_s must be {SHORTEST_CLIP_S:g} to {LONGEST_CLIP_S:g} s, not "
                f"{self.length_s:g} (shorter only with clip.development = true)"
            )
        return self


class StoreSettings(_Section):
    """Where the numbers are kept."""

    database: Annotated[Path, Field(description="The SQLite file.")] = Path(
        "/var/lib/edge-fea/edge-fea.db"
    )
    busy_timeout_s: Annotated[
        float, _number(0, 60, "Seconds to wait for another process's write.")
    ] = 10.0
    keep_series: Annotated[
        bool, Field(description="Keep the second series of each clip, for researchers.")
    ] = False
    series_days: Annotated[
        int, _number(1, 3650, "Days that second series are kept, where they are.")
    ] = 90
    retention_days: Annotated[
        int, _number(0, 36500, "Days that clips are kept; older ones are erased. 0: for ever.")
    ] = 0

    @property
    def audit(self) -> Path:
        """The audit trail: in a folder of its own beside the database.

        An account that may only read the database can so be let write its rows.
        """
        return self.database.parent / "audit" / f"{self.database.stem}-audit.db"


class BaselineSettings(_Section):
    """What is usual for a patient: from which clips, and how many are enough."""

    days: Annotated[int, _number(1, 365, "Days back that clips are taken from.")] = 14
    least_days: Annotated[int, _number(1, 365, "Different days that must hold clips.")] = 3
    least_clips: Annotated[int, _number(2, 10000, "Sufficient clips that there must be.")] = 30
    least_dayparts: Annotated[
        int, _number(1, 5, "Parts of a day with sufficient clips that make the day valid.")
    ] = 3


# An age public key (X25519, bech32).
Recipient = Annotated[
    str, _text(r"^age1[02-9ac-hj-np-z]{58}$", "a public key: age1 and 58 small letters and digits")
]


class ClinicSettings(_Section):
    """What leaves the device, and for whom."""

    recipients: Annotated[
        tuple[Recipient, ...],
        Field(description="Public keys (age1...) of those who may read packs."),
    ] = ()
    plain_packs: Annotated[
        bool, Field(description="Allow packs that anybody can read, where there is no recipient.")
    ] = False
    signing_key: Annotated[
        Path, Field(description="The device's own key, made when it is first needed.")
    ] = Path("/var/lib/edge-fea/keys/device.pem")
    language: Annotated[
        str,
        _text(
            r"^[a-z]{2,3}(-[A-Z]{2})?$",
            "a language's code such as en",
            "Language of reports: en or de.",
        ),
    ] = "en"
    usb_label: Annotated[
        str,
        _text(
            r"^[A-Z0-9_-]{1,11}$",
            "1 to 11 of A to Z, 0 to 9, _ and -",
            "Label of the USB sticks that packs are written to.",
        ),
    ] = "EDGEFEA"


class DeviceSettings(_Section):
    """Which device, which patient, where."""

    id: Annotated[
        str,
        _text(
            r"^[A-Za-z0-9_.-]{0,40}$",
            "at most 40 of A to Z, a to z, 0 to 9, _ . and -, without spaces",
            "The device's name in every record; empty: made from the machine's id.",
        ),
    ] = ""
    patient: Annotated[
        str,
        _text(
            r"^[A-Za-z0-9_.-]{1,40}$",
            "1 to 40 of A to Z, a to z, 0 to 9, _ . and -, without spaces",
            "The patient's pseudonym, until a first stay is begun; never a name.",
        ),
    ] = UNASSIGNED
    time_zone: Annotated[
        str, Field(description="The patient's IANA time zone; empty: the machine's.")
    ] = ""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name and name not in available_timezones():
            raise ValueError(f"no time zone {name!r}; allowed are names such as Europe/Berlin")
        return name

    def identity(self) -> str:
        """The device's id, made from the machine's id where none is set.

        The machine's own id must not leave it (machine-id(5)), so it is hashed.
        """
        if self.id:
            return self.id
        try:
            machine = Path("/etc/machine-id").read_text().strip()
        except OSError:
            machine = ""
        if not machine:
            return "unnamed"
        return "efea-" + hashlib.sha256(f"edge-fea:{machine}".encode()).hexdigest()[:10]


class Settings(BaseSettings):
    """All settings. Layers are put together in ``edge_fea.config.layers.load``."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="EDGE_FEA_",
        env_nested_delimiter="__",
    )

    capture: CaptureSettings = CaptureSettings()
    vision: VisionSettings = VisionSettings()
    clip: ClipSettings = ClipSettings()
    store: StoreSettings = StoreSettings()
    baseline: BaselineSettings = BaselineSettings()
    clinic: ClinicSettings = ClinicSettings()
    device: DeviceSettings = DeviceSettings()
    indicator: IndicatorSettings = IndicatorSettings()
    backup: BackupSettings = BackupSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what is passed in: the layers are read and merged one by one elsewhere."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)
