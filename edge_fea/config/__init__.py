"""Settings: the sections and their bounds (settings), and how they are put together (layers)."""

from edge_fea.config.backup import BackupSettings
from edge_fea.config.indicator import IndicatorSettings
from edge_fea.config.settings import (
    BaselineSettings,
    CaptureSettings,
    ClinicSettings,
    ClipSettings,
    DeviceSettings,
    QualitySettings,
    Settings,
    StoreSettings,
    VisionSettings,
)

__all__ = [
    "BackupSettings",
    "BaselineSettings",
    "CaptureSettings",
    "ClinicSettings",
    "ClipSettings",
    "DeviceSettings",
    "IndicatorSettings",
    "QualitySettings",
    "Settings",
    "StoreSettings",
    "VisionSettings",
]
