"""The file that ships, as the delegate sees it: one partition, and the work that is stated."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from edge_fea.vision.classifier import Classifier, default_network
from edge_fea.vision.manifest import Manifest
from edge_fea.vision.runtime import load_runtime

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "network_latency.py"
MANIFEST = Manifest.read(default_network())

pytest.importorskip("ai_edge_litert", reason="XNNPACK takes int8 in ai-edge-litert only")


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("network_latency", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def timed(benchmark: ModuleType, content: bytes):
    return benchmark.Timed("file", content, load_runtime("ai-edge-litert").interpreter)


@pytest.fixture(scope="module")
def content() -> bytes:
    return default_network().with_name(MANIFEST.file).read_bytes()


def test_all_but_the_change_of_the_input_goes_to_xnnpack_in_one_partition(
    benchmark: ModuleType, content: bytes
) -> None:
    assert timed(benchmark, content).partitions() == (1, ["QUANTIZE"])


def test_the_manifest_states_the_files_work(benchmark: ModuleType, content: bytes) -> None:
    assert timed(benchmark, content).multiply_accumulates == MANIFEST.multiply_accumulates


def test_the_attention_map_is_an_output_more_and_changes_nothing(
    benchmark: ModuleType, content: bytes
) -> None:
    assert MANIFEST.outputs.attention is not None
    twin = benchmark.without_output(content, MANIFEST.outputs.attention)
    crop = MANIFEST.self_check.crop(MANIFEST.input.size)
    values = []
    for each in (content, twin):
        interpreter = load_runtime("ai-edge-litert").interpreter(model_content=each)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], crop[None, ..., None])
        interpreter.invoke()
        outputs = interpreter.get_output_details()
        values.append(
            {tuple(o["shape"]): interpreter.get_tensor(o["index"]).tolist() for o in outputs}
        )
    with_map, without = values
    assert len(without) == len(with_map) - 1
    assert all(with_map[shape] == value for shape, value in without.items())
    assert np.ptp(Classifier(default_network()).attention(crop)) > 0


def test_the_peak_file_is_one_convolution_that_runs(benchmark: ModuleType) -> None:
    peak = timed(benchmark, benchmark.peak_file())
    assert peak.multiply_accumulates == 56 * 56 * 256 * 256 * 9
    assert peak.partitions() == (1, [])
