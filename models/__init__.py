"""The network that the device runs, and how it is made."""
