"""Settings: the sections and their bounds (settings), and how they are put together (layers)."""

from edge_fea.config.settings import (
    CaptureSettings,
    ClipSettings,
    DeviceSettings,
    QualitySettings,
    Settings,
    StoreSettings,
    VisionSettings,
)

__all__ = [
    "CaptureSettings",
    "ClipSettings",
    "DeviceSettings",
    "QualitySettings",
    "Settings",
    "StoreSettings",
    "VisionSettings",
]
