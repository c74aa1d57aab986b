"""edge-fea: watches how a patient feels, and keeps numbers instead of pictures.

An observation aid for research and care teams, not a diagnostic device.
"""

__version__ = "0.1.0"
