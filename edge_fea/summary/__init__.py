"""From probabilities to a clip summary: pure functions on arrays."""
