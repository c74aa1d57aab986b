"""The weights to fine-tune from: whoever has pictures of their own begins with them."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip(
    "tensorflow", reason="TensorFlow is not installed: pip install 'edge-fea[train]'"
)

from models.training.network import build
from models.training.presets import PRESETS

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("default")]
FILE = Path(__file__).parents[2] / "models" / "pretrained-80.weights.h5"


def test_they_fit_the_network_that_ships() -> None:
    model = build(PRESETS["ship"].network)
    before = [np.array(w) for w in model.get_weights()]
    model.load_weights(FILE)
    # Every kernel is learnt but those of the face check, which is trained last of all.
    names = [weight.path for weight in model.weights]
    same = {
        name.split("/")[0]
        for name, old, new in zip(names, before, model.get_weights(), strict=True)
        if np.array_equal(old, new) and name.endswith("kernel")
    }
    assert same <= {"face", "face_hidden"}
