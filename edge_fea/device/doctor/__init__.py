"""The device examines itself: checks, each with what to do, and the proof of the privacy claim."""
