"""The int8 network: a grey crop in, seven calibrated probabilities out."""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_fea.emotions import LABELS
from edge_fea.errors import NetworkInvalid, RuntimeMissing
from edge_fea.vision.boxes import Grey
from edge_fea.vision.manifest import Manifest
from edge_fea.vision.observation import Probabilities
from edge_fea.vision.runtime import load_runtime

_PACKAGED = Path(__file__).parents[1] / "network"
_CHECKOUT = Path(__file__).parents[2] / "models"
_DEFAULT = "cbam6-80-int8.json"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the network says of one crop."""

    probabilities: Probabilities
    """float64 (7,), calibrated, adding up to 1."""

    face: float | None
    """P(the crop shows a face), 0 to 1; None for a network without that head."""


class Classifier:
    """Runs one network file, checked against its manifest.

    Raises NetworkInvalid where the file, its hash, labels, input or outputs are not what the
    manifest says, and RuntimeMissing where no interpreter runs.
    """

    def __init__(self, manifest_path: Path, *, runtime: str = "auto", threads: int = 1) -> None:
        self.manifest = Manifest.read(manifest_path)
        self.path = manifest_path.with_name(self.manifest.file)
        content = _read_checked(self.path, self.manifest.sha256)
        self.runtime = load_runtime(runtime)
        self._interpreter = self._create(content, threads)
        self._input = self._checked_input()
        outputs = self._interpreter.get_output_details()
        self._logits = self._checked_output(outputs, "logits", (1, len(LABELS)))
        self._face = self._checked_output(outputs, "face", (1, 1))
        self._attention = self._checked_output(outputs, "attention", None)

    def read(self, crop: Grey) -> Reading:
        """Classify ``crop``, uint8 (size, size) with the size of ``manifest.input``."""
        logits, face_logit = self._outputs_of(crop)
        if self.manifest.input.mirrored:
            # An expression is the same one in a mirror; the mean of both is right more often.
            again, face_again = self._outputs_of(_mirrored(crop))
            logits = (logits + again) / 2
            if face_logit is not None and face_again is not None:
                face_logit = (face_logit + face_again) / 2
        face = None if face_logit is None else float(1.0 / (1.0 + np.exp(-face_logit)))
        return Reading(softmax(logits / self.manifest.temperature), face)

    def attention(self, crop: Grey) -> npt.NDArray[np.float64] | None:
        """The spatial attention map of ``crop``, float64 (h, w); None for a network without."""
        if self._attention is None:
            return None
        found = self._attention_of(crop)
        if self.manifest.input.mirrored:
            found = (found + self._attention_of(_mirrored(crop))[:, ::-1]) / 2
        return found

    def is_face(self, reading: Reading) -> bool:
        """Whether the face check passes; always true for a network without one."""
        check = self.manifest.face_check
        return check is None or reading.face is None or reading.face >= check.threshold

    def self_check(self) -> float:
        """Largest difference to the manifest's stored probabilities, for its stored input.

        Raises NetworkInvalid where it exceeds the stored tolerance: this machine does not compute
        what was measured.
        """
        check = self.manifest.self_check
        got = self.read(check.crop(self.manifest.input.size)).probabilities
        difference = float(np.abs(got - np.array(check.probabilities)).max())
        if difference > check.tolerance:
            raise NetworkInvalid(
                f"{self.path.name} on {self.runtime.package} {self.runtime.version}: self-check "
                f"differs by {difference:.3f}, allowed {check.tolerance:.3f}"
            )
        return difference

    def _create(self, content: bytes, threads: int) -> Any:
        try:
            with _native_log_silenced():
                interpreter = self.runtime.interpreter(model_content=content, num_threads=threads)
                interpreter.allocate_tensors()
                interpreter.invoke()
        except ValueError as error:
            raise NetworkInvalid(f"{self.path}: not a network that runs here ({error})") from error
        except (ImportError, RuntimeError, SystemError, AttributeError) as error:
            raise RuntimeMissing(
                f"{self.runtime.package} {self.runtime.version} cannot run a network with "
                f"numpy {np.__version__} ({error})"
            ) from error
        return interpreter

    def _checked_input(self) -> int:
        details = self._interpreter.get_input_details()
        size = self.manifest.input.size
        wanted = (1, size, size, self.manifest.input.channels)
        shape = tuple(int(side) for side in details[0]["shape"])
        if len(details) != 1 or shape != wanted or details[0]["dtype"] != np.uint8:
            raise NetworkInvalid(
                f"{self.path}: input is {shape} {np.dtype(details[0]['dtype']).name}, "
                f"the manifest says {wanted} uint8"
            )
        return int(details[0]["index"])

    def _checked_output(
        self, outputs: list[dict[str, Any]], name: str, wanted: tuple[int, ...] | None
    ) -> dict[str, Any] | None:
        place: int | None = getattr(self.manifest.outputs, name)
        if place is None:
            return None
        if place >= len(outputs):
            raise NetworkInvalid(f"{self.path}: has no output {place} for '{name}'")
        shape = tuple(int(side) for side in outputs[place]["shape"])
        if wanted is not None and shape != wanted:
            raise NetworkInvalid(f"{self.path}: output '{name}' is {shape}, must be {wanted}")
        return outputs[place]

    def _outputs_of(self, crop: Grey) -> tuple[npt.NDArray[np.float64], float | None]:
        self._invoke(crop)
        face = None if self._face is None else self._value(self._face).item()
        return self._value(self._logits).ravel(), face

    def _attention_of(self, crop: Grey) -> npt.NDArray[np.float64]:
        self._invoke(crop)
        values = self._value(self._attention)
        return values.reshape(values.shape[1:3])

    def _invoke(self, crop: Grey) -> None:
        size = self.manifest.input.size
        if crop.shape != (size, size) or crop.dtype != np.uint8:
            raise ValueError(f"crop is {crop.shape} {crop.dtype}, must be ({size}, {size}) uint8")
        self._interpreter.set_tensor(self._input, crop[np.newaxis, :, :, np.newaxis])
        self._interpreter.invoke()

    def _value(self, output: dict[str, Any] | None) -> npt.NDArray[np.float64]:
        if output is None:
            raise RuntimeError("the network has no such output")
        raw = self._interpreter.get_tensor(output["index"]).astype(np.float64)
        scale, zero_point = output["quantization"]
        # A float output carries scale 0 and is taken as it is.
        return np.asarray((raw - zero_point) * scale if scale else raw, np.float64)


def _mirrored(crop: Grey) -> Grey:
    return np.ascontiguousarray(crop[:, ::-1])


def softmax(logits: npt.NDArray[np.float64]) -> Probabilities:
    """exp(x) / sum(exp(x)), shifted by the largest so that nothing overflows; shape (7,)."""
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum(), np.float64)


def default_network() -> Path:
    """The manifest of the network that ships: in the installed package, or in a checkout.

    Raises NetworkInvalid where it is in neither.
    """
    for folder in (_PACKAGED, _CHECKOUT):
        path = folder / _DEFAULT
        if path.is_file():
            return path
    raise NetworkInvalid(
        f"no {_DEFAULT} in {_PACKAGED} or {_CHECKOUT}: name a network with vision.network"
    )


@contextmanager
def _native_log_silenced() -> Iterator[None]:
    """The runtimes greet on file descriptor 2, past Python; what matters they raise."""
    sys.stderr.flush()
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _read_checked(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NetworkInvalid(f"no network file {path}") from None
    except OSError as error:
        raise NetworkInvalid(f"cannot read the network {path}: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise NetworkInvalid(
            f"{path}: sha256 is {found[:12]}…, its manifest says {sha256[:12]}…: "
            "the file is damaged or does not belong to this manifest"
        )
    return content
