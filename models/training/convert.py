"""From Keras to an int8 TFLite file, and a plain runner for such files."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from edge_fea.emotions import LABELS
from models.training.network import NetworkConfig, build, copy_weights, normalise

INPUT_SCALE = 1.0 / 128.0
INPUT_ZERO_POINT = 128


def to_int8(model: keras.Model, config: NetworkConfig, crops: npt.NDArray[np.uint8]) -> bytes:
    """Quantize by post-training calibration: weights and activations int8, the input uint8.

    ``crops``, uint8 (n, size, size, 1), calibrate the ranges. The input tensor takes the grey
    values as they are: ``normalise`` becomes its scale and zero point. Outputs are int8 with
    scales of their own. Raises ValueError where the converter chose another input scale.
    """
    fixed = build(replace(config, dropout=0.0), batch=1)
    copy_weights(model, fixed)
    crops = crops.copy()
    # Calibration must meet the whole range, or the input's scale would not be exactly 1/128.
    crops[0, 0, 0], crops[0, 0, 1] = 0, 255

    def representative() -> Iterator[list[npt.NDArray[np.float32]]]:
        for crop in crops:
            yield [np.asarray(normalise(crop[None]), np.float32)]

    with tempfile.TemporaryDirectory() as folder:
        # A SavedModel: from a concrete function the converter stumbles over READ_VARIABLE.
        fixed.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
        content = bytes(converter.convert())
    scale, zero_point = Network(content).input_quantization
    if abs(scale - INPUT_SCALE) > 1e-6 or zero_point != INPUT_ZERO_POINT:
        raise ValueError(
            f"the input came out with scale {scale} and zero point {zero_point}, not 1/128 and "
            "128: raw grey values would be misread"
        )
    return content


@dataclass(frozen=True)
class Outputs:
    """What the network gives for n crops: logits (n, 7), face logits (n,), float32."""

    logits: npt.NDArray[np.float32]
    face: npt.NDArray[np.float32]


class Network:
    """Runs a TFLite file on uint8 crops; ``threads`` as for LiteRT.

    ``mirrored`` as in the manifest: each crop is read mirrored too, and the outputs averaged.
    """

    def __init__(self, content: bytes, threads: int = 1, mirrored: bool = False) -> None:
        self._mirrored = mirrored
        self._interpreter = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()

    @property
    def input_quantization(self) -> tuple[float, int]:
        """Scale and zero point of the input tensor."""
        scale, zero_point = self._input["quantization"]
        return float(scale), int(zero_point)

    @property
    def places(self) -> dict[str, int]:
        """Which of the file's outputs is what, told apart by their shapes."""
        found = {}
        for place, output in enumerate(self._outputs):
            shape = tuple(int(side) for side in output["shape"])
            if shape == (1, len(LABELS)):
                found["logits"] = place
            elif shape == (1, 1):
                found["face"] = place
            elif len(shape) == 4 and shape[3] == 1:
                found["attention"] = place
        return found

    def run(self, crops: npt.NDArray[np.uint8]) -> Outputs:
        """Outputs for uint8 crops (n, size, size, 1)."""
        found = self._run(crops)
        if not self._mirrored:
            return found
        again = self._run(crops[:, :, ::-1])
        return Outputs((found.logits + again.logits) / 2, (found.face + again.face) / 2)

    def _run(self, crops: npt.NDArray[np.uint8]) -> Outputs:
        places = self.places
        logits, face = [], []
        for crop in crops:
            self._interpreter.set_tensor(self._input["index"], crop[None])
            self._interpreter.invoke()
            logits.append(self._value(places["logits"])[0])
            face.append(self._value(places["face"])[0, 0])
        return Outputs(np.stack(logits), np.asarray(face, np.float32))

    def _value(self, place: int) -> npt.NDArray[np.float32]:
        details = self._outputs[place]
        scale, zero_point = details["quantization"]
        raw = self._interpreter.get_tensor(details["index"])
        return ((raw.astype(np.float32) - zero_point) * scale).astype(np.float32)


def write(content: bytes, file: Path) -> None:
    """Write a file in one go: a reader sees the old one or the new one."""
    partial = file.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(file)
