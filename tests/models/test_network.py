"""The network: its size, its attention by the paper's equations, its weights at other sizes."""

# ruff: noqa: E402 (the skip must come before the imports that need TensorFlow)

from dataclasses import replace

import numpy as np
import pytest

tf = pytest.importorskip(
    "tensorflow", reason="TensorFlow is not installed: pip install 'edge-fea[train]'"
)

from models.training.network import (
    NetworkConfig,
    build,
    channel_attention,
    copy_weights,
    spatial_attention,
)
from tests.models.tiny import SIZE, TINY

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("default")]


def test_default_network_has_the_published_size():
    model = build(NetworkConfig())
    assert 0.85e6 < model.count_params() < 0.95e6


@pytest.mark.parametrize("attention", ["none", "cam", "sam", "cbam"])
def test_every_attention_gives_seven_logits_and_a_map_only_with_spatial(attention: str):
    model = build(replace(TINY, attention=attention))
    outputs = model(np.zeros((2, SIZE, SIZE, 1), np.float32))
    assert outputs["logits"].shape == (2, 7)
    assert ("attention" in outputs) == (attention in ("sam", "cbam"))


def test_channel_attention_is_equations_1_3_and_4():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(2, 3, 3, 8)).astype(np.float32)
    crop = tf.keras.Input((3, 3, 8))
    model = tf.keras.Model(crop, channel_attention(crop, reduction=4))
    weights = [rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()]
    model.set_weights(weights)
    first, bias1, second, bias2 = (np.squeeze(w) for w in weights)

    def mlp(pooled: np.ndarray) -> np.ndarray:
        return np.maximum(pooled @ first + bias1, 0) @ second + bias2

    score = mlp(features.mean(axis=(1, 2))) + mlp(features.max(axis=(1, 2)))
    expected = features / (1 + np.exp(-score))[:, None, None, :]
    np.testing.assert_allclose(model(features), expected, atol=1e-5)


def test_spatial_attention_is_equations_2_5_and_6():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(1, 5, 5, 6)).astype(np.float32)
    crop = tf.keras.Input((5, 5, 6))
    model = tf.keras.Model(crop, spatial_attention(crop))
    kernel = rng.normal(size=(7, 7, 2, 1)).astype(np.float32)
    model.set_weights([kernel, np.array([0.3], np.float32)])
    pools = np.stack([features[0].mean(axis=-1), features[0].max(axis=-1)], axis=-1)
    padded = np.pad(pools, ((3, 3), (3, 3), (0, 0)))
    score = [
        [np.sum(padded[y : y + 7, x : x + 7] * kernel[..., 0]) + 0.3 for x in range(5)]
        for y in range(5)
    ]
    expected = 1 / (1 + np.exp(-np.array(score)))
    weighted, places = model(features)
    np.testing.assert_allclose(places[0, ..., 0], expected, atol=1e-5)
    np.testing.assert_allclose(weighted[0], features[0] * expected[..., None], atol=1e-5)


def test_weights_carry_over_to_another_input_size_with_gap_only():
    larger = replace(TINY, size=48)
    copy_weights(build(TINY), build(larger))
    with pytest.raises(ValueError, match="does not fit"):
        copy_weights(build(replace(TINY, head="flatten")), build(replace(larger, head="flatten")))
