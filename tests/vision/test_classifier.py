"""The network's loader refuses what is wrong by name; what is right computes what was measured."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_fea.emotions import LABELS
from edge_fea.errors import NetworkInvalid, RuntimeMissing
from edge_fea.vision import classifier as classifier_module
from edge_fea.vision.classifier import Classifier, default_network, softmax
from edge_fea.vision.manifest import Manifest
from edge_fea.vision.runtime import load_runtime

SIDE = Manifest.read(default_network()).input.size


def noise(seed: int) -> np.ndarray:
    """A crop of the network's size."""
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier(default_network())


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A copy of the shipped pair that a test may spoil; the manifest's path."""
    original = default_network()
    shutil.copy(original.with_suffix(".tflite"), tmp_path)
    return Path(shutil.copy(original, tmp_path))


def edited(manifest: Path, change: Callable[[dict], None]) -> Path:
    content = json.loads(manifest.read_text())
    change(content)
    manifest.write_text(json.dumps(content))
    return manifest


def test_probabilities_are_seven_and_add_up(shipped: Classifier) -> None:
    crop = noise(0)
    reading = shipped.read(crop)
    assert reading.probabilities.shape == (len(LABELS),)
    assert reading.probabilities.sum() == pytest.approx(1.0)
    assert (reading.probabilities >= 0).all()


def test_the_same_crop_gives_the_same_reading(shipped: Classifier) -> None:
    crop = noise(1)
    other = np.zeros((SIDE, SIDE), np.uint8)
    first = shipped.read(crop).probabilities
    shipped.read(other)
    assert (shipped.read(crop).probabilities == first).all()


def test_the_self_check_passes_here(shipped: Classifier) -> None:
    assert shipped.self_check() <= shipped.manifest.self_check.tolerance


def test_noise_is_no_face(shipped: Classifier) -> None:
    assert not shipped.is_face(shipped.read(noise(2)))


@pytest.mark.parametrize(
    "crop", [np.zeros((30, 30), np.uint8), np.zeros((SIDE, SIDE), np.float32)], ids=["size", "type"]
)
def test_another_crop_is_refused(shipped: Classifier, crop: np.ndarray) -> None:
    with pytest.raises(ValueError, match=rf"must be \({SIDE}, {SIDE}\) uint8"):
        shipped.read(crop)


def test_a_network_of_more_threads_reads_the_same(shipped: Classifier) -> None:
    crop = noise(3)
    threaded = Classifier(default_network(), threads=2)
    np.testing.assert_allclose(
        threaded.read(crop).probabilities, shipped.read(crop).probabilities, atol=1e-6
    )


def test_a_network_that_reads_mirrored_too_averages_before_the_softmax(network: Path) -> None:
    plain = Classifier(edited(network, lambda m: m["input"].update(mirrored=False)))
    one, other = plain.read(noise(4)), plain.read(np.ascontiguousarray(noise(4)[:, ::-1]))
    assert not np.allclose(one.probabilities, other.probabilities, atol=1e-3)
    maps = plain.attention(noise(4)), plain.attention(np.ascontiguousarray(noise(4)[:, ::-1]))

    both = Classifier(edited(network, lambda m: m["input"].update(mirrored=True)))
    reading = both.read(noise(4))
    mean = np.sqrt(one.probabilities * other.probabilities)
    np.testing.assert_allclose(reading.probabilities, mean / mean.sum(), atol=1e-9)
    odds = [face / (1 - face) for face in (one.face, other.face, reading.face)]
    assert odds[2] ** 2 == pytest.approx(odds[0] * odds[1])
    np.testing.assert_allclose(both.attention(noise(4)), (maps[0] + maps[1][:, ::-1]) / 2)


def test_a_changed_network_file_is_refused(network: Path) -> None:
    file = network.with_suffix(".tflite")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(NetworkInvalid, match=r"sha256 is .* the file is damaged"):
        Classifier(network)


def test_a_file_that_is_no_network_is_refused(network: Path) -> None:
    import hashlib

    content = b"this is no network" * 100
    network.with_suffix(".tflite").write_bytes(content)
    edited(network, lambda m: m.update(sha256=hashlib.sha256(content).hexdigest()))
    with pytest.raises(NetworkInvalid, match="not a network that runs here"):
        Classifier(network)


def test_a_missing_network_file_is_named(network: Path) -> None:
    network.with_suffix(".tflite").unlink()
    with pytest.raises(NetworkInvalid, match="no network file"):
        Classifier(network)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(NetworkInvalid, match="no manifest"):
        Classifier(tmp_path / "none.json")


def test_other_labels_are_refused(network: Path) -> None:
    edited(network, lambda m: m.update(labels=["happy", *[x for x in m["labels"] if x != "happy"]]))
    with pytest.raises(NetworkInvalid, match=r"labels: .*in this order"):
        Classifier(network)


def test_another_input_size_is_refused(network: Path) -> None:
    edited(network, lambda m: m["input"].update(size=96))
    with pytest.raises(NetworkInvalid, match=rf"input is \(1, {SIDE}, {SIDE}, 1\) uint8.*96"):
        Classifier(network)


def test_an_output_that_is_not_there_is_refused(network: Path) -> None:
    edited(network, lambda m: m["outputs"].update(logits=9))
    with pytest.raises(NetworkInvalid, match="no output 9 for 'logits'"):
        Classifier(network)


def test_an_output_of_another_shape_is_refused(network: Path) -> None:
    edited(network, lambda m: m["outputs"].update(logits=m["outputs"]["face"]))
    with pytest.raises(NetworkInvalid, match=r"output 'logits' is \(1, 1\), must be \(1, 7\)"):
        Classifier(network)


def test_an_unknown_key_in_the_manifest_is_refused(network: Path) -> None:
    edited(network, lambda m: m.update(temprature=1.0))
    with pytest.raises(NetworkInvalid, match="temprature: Extra inputs are not permitted"):
        Classifier(network)


def test_a_manifest_that_is_no_json_is_refused(network: Path) -> None:
    network.write_text("{")
    with pytest.raises(NetworkInvalid, match="the file: Invalid JSON"):
        Classifier(network)


def test_a_machine_that_computes_something_else_is_noticed(network: Path) -> None:
    other = [0.94, *[0.01] * 6]
    edited(network, lambda m: m["self_check"].update(probabilities=other[::-1]))
    with pytest.raises(NetworkInvalid, match="self-check differs"):
        Classifier(network).self_check()


def test_a_network_that_ships_nowhere_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(classifier_module, "_PACKAGED", tmp_path)
    monkeypatch.setattr(classifier_module, "_CHECKOUT", tmp_path)
    with pytest.raises(NetworkInvalid, match=r"vision\.network"):
        default_network()


def test_a_missing_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    with pytest.raises(RuntimeMissing, match="pip install ai-edge-litert"):
        load_runtime()


def test_a_runtime_that_imports_but_cannot_run_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As tflite-runtime 2.14 under numpy 2: it imports, and dies at the first Interpreter."""

    class Broken:
        def __init__(self, **_: object) -> None:
            raise AttributeError("_ARRAY_API not found")

    package = load_runtime().package
    name = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}[package]
    module = ModuleType(f"{name}.interpreter")
    module.Interpreter = Broken  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f"{name}.interpreter", module)
    with pytest.raises(RuntimeMissing, match="cannot run a network with numpy"):
        Classifier(default_network(), runtime=package)


@given(arrays(np.float64, 7, elements=st.floats(-500, 500)))
def test_softmax_stays_on_the_simplex(logits: np.ndarray) -> None:
    probabilities = softmax(logits)
    assert probabilities.sum() == pytest.approx(1.0)
    assert (probabilities >= 0).all()
    assert probabilities[logits.argmax()] == probabilities.max()
