"""Every error that edge-fea raises on purpose, and what a caller can do about it.

    EdgeFeaError
    ├── ConfigError            78  a setting is wrong: mend the key that is named
    ├── UnclearError           64  the question has two answers: say which with an option
    ├── NotAllowed             77  the settings, the account or a former decision forbid it
    ├── Unwell                 71  a check of the device failed: do what its line says
    ├── NotFoundError          66  the clip, file or folder asked for does not exist
    │   └── NothingNew         66  everything was given before: ask again later, or for all of it
    ├── SourceError
    │   ├── SourceUnavailable  69  no such camera, or it is in use: plug it in, free it
    │   │   └── CameraSoftwareMissing  69  the Pi camera's packages are not installed: install them
    │   ├── SourceUnreadable   65  the file is no video or picture, or it is cut short
    │   └── SourceStalled      75  frames stopped coming: leave the process and start again
    ├── VisionError
    │   ├── CascadeMissing     72  this OpenCV has no Haar cascades: install opencv below 5
    │   ├── RuntimeMissing     72  no interpreter that works: install ai-edge-litert
    │   └── NetworkInvalid     72  the network file or its manifest is not what it must be
    ├── StoreError             74  the database failed in a way that has no name below
    │   ├── StoreUnwritable    73  the folder or the file cannot be written
    │   ├── StoreFull          74  no space left: free some; all that was committed is kept
    │   ├── StoreBusy          75  another process holds the database: try again later
    │   ├── StoreDamaged       74  the file is damaged and could not be recovered
    │   ├── SchemaTooNew       74  a newer edge-fea wrote the file: upgrade this one
    │   ├── ErasureIncomplete  74  something of an erased patient is left: in the files named
    │   └── AuditBroken        74  the audit trail is not as it was written: ask who changed it
    └── ClinicError            73  what should leave the device could not
        ├── OutputExists       73  there is a file of that name: give another
        ├── OutputUnwritable   73  the file cannot be written: see why in the message
        ├── OutputFull         74  no space left where the file should go
        ├── OutputDamaged      74  what was read back is not what was written: try another medium
        ├── ExtraMissing       72  a library is not installed: install the extra that is named
        ├── SessionEnded       75  a session was ended, or took too long: ask for a shorter period
        └── PackInvalid        65  the pack is damaged, changed, or not for this key

The number is the exit code of the command, after BSD's sysexits.h. 0 is success, 2 a wrong
command line (click's own), 1 a bug in edge-fea.
"""

from typing import ClassVar


class EdgeFeaError(Exception):
    """Base of all errors that carry a message for the person at the keyboard."""

    exit_code: ClassVar[int] = 1


class ConfigError(EdgeFeaError):
    """A setting is unknown, out of range, or does not fit the others."""

    exit_code = 78


class UnclearError(EdgeFeaError):
    """A command would have to guess which of several is meant."""

    exit_code = 64


class NotAllowed(EdgeFeaError):
    """The settings, the account or a former decision do not allow what was asked for."""

    exit_code = 77


class Unwell(EdgeFeaError):
    """A check of the device failed, or could not prove what it was to prove."""

    exit_code = 71


class NotFoundError(EdgeFeaError):
    """What was asked for by name does not exist."""

    exit_code = 66


class NothingNew(NotFoundError):
    """Who asks for what is new has received everything already: no fault."""


class SourceError(EdgeFeaError):
    """Frames cannot be had."""

    exit_code = 69


class SourceUnavailable(SourceError):
    """The camera is missing or in use."""

    exit_code = 69


class CameraSoftwareMissing(SourceUnavailable):
    """The Pi camera's software is not installed: neither waiting nor a reboot brings it."""


class SourceUnreadable(SourceError):
    """A file is not a readable video or picture, or ends before it should."""

    exit_code = 65


class SourceStalled(SourceError):
    """No frame came within the time-out.

    A stalled libcamera blocks for ever in ``stop()``, so whoever catches this closes the clip and
    leaves the process; the service manager starts a fresh one.
    """

    exit_code = 75

    def __init__(self, message: str, waited: float) -> None:
        """``waited`` is how many seconds went by without a frame before this was raised."""
        super().__init__(message)
        self.waited = waited


class VisionError(EdgeFeaError):
    """A part of the vision path cannot be loaded."""

    exit_code = 72


class CascadeMissing(VisionError):
    """OpenCV carries no Haar cascade classifier (OpenCV 5 dropped it)."""


class RuntimeMissing(VisionError):
    """Neither ai-edge-litert nor tflite-runtime can run a network here."""


class NetworkInvalid(VisionError):
    """The network file, its manifest, or the pair of them is refused."""


class StoreError(EdgeFeaError):
    """The database failed."""

    exit_code = 74


class StoreUnwritable(StoreError):
    """The database or its folder cannot be written."""

    exit_code = 73


class StoreFull(StoreError):
    """The file system has no space left."""


class StoreBusy(StoreError):
    """Another process held the database longer than the time-out."""

    exit_code = 75


class StoreDamaged(StoreError):
    """The database file is damaged beyond what could be recovered."""


class SchemaTooNew(StoreError):
    """The database was written by a newer edge-fea."""


class ErasureIncomplete(StoreError):
    """Something of an erased patient was found in a file afterwards."""


class AuditBroken(StoreError):
    """A row of the audit trail was removed, changed or put in."""


class ClinicError(EdgeFeaError):
    """What should leave the device could not."""

    exit_code = 73


class OutputExists(ClinicError):
    """A file of the wanted name is there already; nothing is ever overwritten."""


class OutputUnwritable(ClinicError):
    """The wanted file, or its folder, cannot be written."""


class OutputFull(ClinicError):
    """No space is left where the file should go."""

    exit_code = 74


class OutputDamaged(ClinicError):
    """What was read back is not what was written."""

    exit_code = 74


class ExtraMissing(ClinicError):
    """An optional library is not installed."""

    exit_code = 72


class SessionEnded(ClinicError):
    """A clinician's session was ended from outside, or its time was up."""

    exit_code = 75


class PackInvalid(ClinicError):
    """A pack is damaged, was changed, comes from another device, or is not for this key."""

    exit_code = 65
