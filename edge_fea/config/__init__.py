"""Settings: the sections and their bounds (settings), and how they are put together (layers)."""

from edge_fea.config.settings import (
    BaselineSettings,
    CaptureSettings,
    ClipSettings,
    DeviceSettings,
    QualitySettings,
    Settings,
    StoreSettings,
    VisionSettings,
)

__all__ = [
    "BaselineSettings",
    "CaptureSettings",
    "ClipSettings",
    "DeviceSettings",
    "QualitySettings",
    "Settings",
    "StoreSettings",
    "VisionSettings",
]
