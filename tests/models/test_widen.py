"""Wider networks that begin where a narrower one is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip(
    "tensorflow", reason="TensorFlow is not installed: pip install 'edge-fea[train]'"
)

from models.training import widen
from models.training.network import NetworkConfig, build
from tests.models.tiny import SIZE, TINY

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("default"),
]

WIDER = tuple(2 * width + 3 for width in TINY.widths)


def crops() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1, (6, SIZE, SIZE, 1)).astype(np.float32)


@pytest.mark.parametrize("attention", ["none", "cam"])
def test_a_widened_network_says_what_the_narrow_one_says(attention: str):
    config = replace(TINY, attention=attention)
    narrow = build(config)
    wide = widen.widen(narrow, config, WIDER, noise=0.0, seed=1)
    for name in ("logits", "face"):
        np.testing.assert_allclose(wide(crops())[name], narrow(crops())[name], rtol=1e-3, atol=1e-4)


def test_noise_tells_copies_apart():
    wide = widen.widen(build(TINY), TINY, WIDER, noise=0.05, seed=1)
    kernel = wide.get_layer("conv1").get_weights()[0]
    assert len(np.unique(kernel.reshape(-1, kernel.shape[-1]), axis=1).T) == WIDER[0]


@pytest.mark.parametrize(
    ("config", "widths", "message"),
    [
        (TINY, TINY.widths[:-1], "each must be at least"),
        (TINY, (1, *TINY.widths[1:]), "each must be at least"),
        (replace(TINY, head="flatten"), TINY.widths, "only gap"),
    ],
)
def test_what_cannot_be_widened_is_refused(
    config: NetworkConfig, widths: tuple[int, ...], message: str
):
    with pytest.raises(ValueError, match=message):
        widen.widen(build(config), config, widths, noise=0.0, seed=1)


def test_the_command_writes_weights_that_the_wider_network_loads(tmp_path: Path):
    (tmp_path / "run.json").write_text(json.dumps({"network": TINY.to_json()}))
    build(TINY).save_weights(tmp_path / "last.weights.h5")
    out = tmp_path / "wide" / "start.weights.h5"
    words = ",".join(map(str, WIDER))
    widen.main(["--run", str(tmp_path), "--widths", words, "--out", str(out)])
    build(replace(TINY, widths=WIDER)).load_weights(out)
    with pytest.raises(SystemExit):
        widen.main(["--run", str(tmp_path), "--widths", "1", "--out", str(out)])
