"""From a frame to probabilities: faces, whose face, quality, classifier."""
