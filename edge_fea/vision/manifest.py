"""The manifest beside a network file: what the network is, and what was measured of it."""

import base64
import zlib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edge_fea.emotions import LABELS
from edge_fea.errors import NetworkInvalid
from edge_fea.vision.boxes import Grey

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkInput(_Part):
    """What goes in: one uint8 grey crop, its raw values, nothing rescaled by the caller."""

    size: Annotated[int, Field(ge=32, le=512, description="Side of the square crop, pixels.")]
    channels: Literal[1] = 1
    dtype: Literal["uint8"] = "uint8"
    margin: Annotated[
        float,
        Field(ge=0.0, le=0.5, description="Share of the box's side added on each side."),
    ]
    mirrored: Annotated[
        bool,
        Field(
            description="Whether the crop is read a second time with left and right exchanged, and "
            "the two outputs averaged before the softmax. Takes twice the time."
        ),
    ] = False


class NetworkOutputs(_Part):
    """Which of the file's outputs is what, by its place in the file."""

    logits: Annotated[int, Field(ge=0, description="Seven values, before the softmax.")]
    face: Annotated[
        int | None, Field(ge=0, description="One value: the logit of P(this is a face).")
    ] = None
    attention: Annotated[
        int | None, Field(ge=0, description="The spatial attention map, (1, h, w, 1).")
    ] = None


class FaceCheck(_Part):
    """The threshold on P(face), and what it was measured to do."""

    threshold: Annotated[Share, Field(description="A box is a face at or above this P(face).")]
    false_accept: Annotated[Share, Field(description="Share of Haar's false boxes let through.")]
    false_reject: Annotated[Share, Field(description="Share of true faces refused.")]
    false_boxes: Annotated[int, Field(ge=0, description="How many false boxes were measured.")]
    true_faces: Annotated[int, Field(ge=0, description="How many true faces were measured.")]


class Figure(_Part):
    """One measured figure."""

    data: str
    measure: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int


class Training(_Part):
    """Where the weights come from."""

    data: list[str]
    command: str
    fold: Annotated[
        str, Field(description="KDEF people who were left out: fold 0 to 4, or none.")
    ] = "none"
    seed: int
    commit: str
    framework: str


class SelfCheck(_Part):
    """A stored input and the probabilities that the network must give for it."""

    input: Annotated[str, Field(description="Base64 of zlib of the uint8 crop, row by row.")]
    probabilities: Annotated[list[Share], Field(min_length=len(LABELS), max_length=len(LABELS))]
    tolerance: Annotated[float, Field(gt=0.0, le=0.2)]

    def crop(self, size: int) -> Grey:
        """The stored input as uint8, shape (size, size)."""
        values = np.frombuffer(zlib.decompress(base64.b64decode(self.input)), np.uint8)
        return values.reshape(size, size)


class Manifest(_Part):
    """Everything that the device must know about one network file."""

    format: Literal[1] = 1
    name: str
    file: Annotated[str, Field(pattern=r"^[\w.-]+\.tflite$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    labels: tuple[str, ...]
    input: NetworkInput
    outputs: NetworkOutputs
    temperature: Annotated[float, Field(gt=0.0, le=20.0)]
    face_check: FaceCheck | None = None
    parameters: Annotated[int, Field(gt=0)]
    multiply_accumulates: Annotated[int, Field(gt=0)]
    figures: list[Figure] = []
    training: Training
    self_check: SelfCheck
    terms: str

    @field_validator("labels")
    @classmethod
    def _same_labels(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if labels != LABELS:
            raise ValueError(f"must be {list(LABELS)} in this order, not {list(labels)}")
        return labels

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read and validate a manifest.

        Raises NetworkInvalid naming the file, the key and what is allowed.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise NetworkInvalid(
                f"no manifest {path}: each network has a .json beside it"
            ) from None
        except OSError as error:
            raise NetworkInvalid(f"cannot read the manifest {path}: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise NetworkInvalid(f"manifest {path}: {where}: {first['msg']}") from error
