"""What a pack says about itself: ``manifest.json``, which the device signs."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_fea.errors import PackInvalid

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
FORMAT: Literal["edge-fea pack"] = "edge-fea pack"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# A manifest is shown to people before they know who wrote it: nothing in it moves their terminal.
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+-]{1,80}$")]
Moment = Annotated[str, Field(pattern=r"^[0-9TZ:.-]{20,30}$")]
Base64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/=]{44}$")]
# One flat folder; no name that a file system could take for something else.
NAME_PATTERN = r"^[a-z][A-Za-z0-9._-]{0,119}$"
MemberName = Annotated[str, Field(pattern=NAME_PATTERN)]


class _Part(BaseModel):
    # Keys that a newer edge-fea adds are signed too, and passed over.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class PackedFile(_Part):
    """A file of the pack."""

    name: MemberName
    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256


class PackedReport(_Part):
    """The period of a report, which is longer than that of the clips of a pack of few days."""

    name: MemberName
    from_utc: Moment
    to_utc: Moment


class AuditHead(_Part):
    """The last row of the device's audit trail, which said that this pack was begun."""

    seq: Annotated[int, Field(ge=0)]
    head: Sha256


class Manifest(_Part):
    """The whole. Times are UTC, ISO 8601; a range without a bound is null there."""

    format: Literal["edge-fea pack"] = FORMAT
    version: Literal[1] = 1
    made_utc: Moment
    device_id: Word
    device_key: Base64
    """The device's public key: 32 bytes of Ed25519, base64."""

    app_version: Word
    schema_step: Word
    """The last step of the database's schema."""

    networks: list[Sha256]
    """SHA-256 of the networks that the clips were read with."""

    from_utc: Moment | None
    to_utc: Moment | None
    """Every clip that starts before this moment, and after ``from_utc``, is in the pack."""

    patients: list[Word]
    clips: int
    recipients: list[Word]
    """The public keys that the pack was encrypted to; empty for a plain one."""

    reports: list[PackedReport] = Field(default_factory=list)
    """Empty in packs that an older edge-fea made: there the reports are of the clips' period."""

    audit: AuditHead
    files: list[PackedFile]

    def encode(self) -> bytes:
        """The bytes that are signed."""
        return json.dumps(self.model_dump(mode="json"), indent=1).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> "Manifest":
        """Read a manifest whose signature is good. Raises PackInvalid."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise PackInvalid(
                f"the pack's {MANIFEST} is not what this edge-fea reads ({place}: "
                f"{first['msg']}): a newer edge-fea may have made it"
            ) from error
