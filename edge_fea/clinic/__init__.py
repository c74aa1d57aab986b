"""What leaves the device: reports, exports, packs; for whom, and the trail of it."""
