"""What is asked over SSH: one line of words from sshd, read without a shell, and who asks it.

Everything that is not on the list below is refused. Nothing here looks at files that the line
names, and no word of the line is ever given to a shell.
"""

import base64
import binascii
import hashlib
import os
import re
import shlex
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MOST_CHARACTERS: Final = 1000

# Moments, pseudonyms, numbers and names of formats need no more than this; a path needs a slash.
_VALUE: Final = re.compile(r"[A-Za-z0-9_.:+-]{1,64}")
# On the device it may be a file with words too.
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_IN_WORDS: Final = {
    _VALUE: "must be letters, digits and _ . : + - only, at most 64 (2026-11-22T18:00+01:00)",
    _LANGUAGE: "must be a language's code such as en",
}
_FLAG: Final = None
_PERIOD: Final = {"--from": _VALUE, "--to": _VALUE, "--patient": _VALUE}
_SUFFICIENT: Final = {"--sufficient": _FLAG, "--insufficient": _FLAG}

# Each verb and its options, and what an option's value looks like. Options that name files, on this
# device or on the laptop, are left out: what a verb gives goes to standard output.
VERBS: Final[Mapping[str, Mapping[str, re.Pattern[str] | None]]] = MappingProxyType(
    {
        "status": {"--format": _VALUE},
        "clips": {
            **_PERIOD,
            **_SUFFICIENT,
            "--running": _FLAG,
            "--limit": _VALUE,
            "--format": _VALUE,
        },
        "summary": {**_PERIOD, "--by": _VALUE, "--format": _VALUE},
        "report": {**_PERIOD, "--language": _LANGUAGE, "--pdf": _FLAG},
        "export": {
            **_PERIOD,
            **_SUFFICIENT,
            "--format": _VALUE,
            "--series": _FLAG,
        },
        "pack": {**_PERIOD, "--since-last": _FLAG},
    }
)

_OPTIONS = re.compile(r"--[a-z][a-z-]{0,30}")
_PLAIN = re.compile(r"[\x20-\x7e]*")

# First words that are put on record by name. Any other might be a pseudonym.
_KNOWN_TRIES: Final = frozenset(
    [
        *("sftp-server", "internal-sftp", "scp", "rsync", "git-upload-pack"),
        *("sh", "bash", "python3", "perl", "sudo", "su", "id", "ls", "cat", "rm", "nc"),
        *("edge-fea", "clinic", "run", "show", "patient", "baseline", "config", "audit", "erase"),
        *("key", "unpack", "help"),
    ]
)
_LONGEST_KEY_FILE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Request:
    """One of the verbs, with arguments for its command: options only, each a single word."""

    verb: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a line is no request."""

    action: str
    """The verb, where it is one of ours; ``ssh`` otherwise."""

    kind: str
    """For the audit trail: fixed words, never what was typed."""

    message: str
    """For whoever asks."""


def understand(line: str | None) -> Request | Refusal:
    """Read sshd's ``SSH_ORIGINAL_COMMAND``; None is a login that asks for a terminal."""
    if line is None or not line.strip():
        return Refusal("ssh", "no verb", f"there is no shell here; {_offer()}")
    if len(line) > MOST_CHARACTERS:
        return Refusal("ssh", "too long", f"more than {MOST_CHARACTERS} characters; {_offer()}")
    if not _PLAIN.fullmatch(line):
        return Refusal(
            "ssh", "characters", f"only printable ASCII, all in one line, is read; {_offer()}"
        )
    try:
        verb, *words = shlex.split(line)
    except ValueError:
        return Refusal("ssh", "quotes", "a quotation mark is not closed")
    if verb not in VERBS:
        return Refusal(
            "ssh", f"no such verb{_known_try(verb)}", f"there is no such verb; {_offer()}"
        )
    try:
        return Request(verb, tuple(_arguments(verb, words)))
    except _Unfit as unfit:
        return Refusal(verb, unfit.kind, f"{verb}: {unfit}; {_options_of(verb)}")


def asker(user_auth: str | None) -> str:
    """Who asks, for the audit trail: ``ssh:SHA256:...`` as ``ssh-keygen -l`` prints the key.

    ``user_auth`` is the file that sshd names in ``SSH_USER_AUTH`` (``ExposeAuthInfo yes``).
    ``ssh:unknown`` where it is not there, not this user's own, or tells no key.
    """
    return asker_in(_own_file(user_auth))


def asker_in(auth_info: str) -> str:
    """Who asks, from sshd's record itself, as PAM gets it in ``SSH_AUTH_INFO_0``."""
    return f"ssh:{fingerprint(auth_info) or 'unknown'}"


def fingerprint(auth_info: str) -> str | None:
    """The SHA-256 fingerprint of the public key in sshd's record of how somebody logged in."""
    for line in auth_info.splitlines():
        words = line.split()
        # A certificate's fingerprint is that of the key within it; none is let in (drop-in).
        if len(words) < 3 or words[0] != "publickey" or "-cert-" in words[1]:
            continue
        try:
            blob = base64.b64decode(words[2], validate=True)
        except binascii.Error:
            continue
        return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return None


class _Unfit(Exception):
    """A word that a verb does not take; ``kind`` is for the audit trail."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def _arguments(verb: str, words: list[str]) -> Iterator[str]:
    takes = VERBS[verb]
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if not name.startswith("-"):
            raise _Unfit("argument", "it takes options only")
        if name not in takes:
            shown = name if _OPTIONS.fullmatch(name) else "of that kind"
            raise _Unfit("option", f"no option {shown} over SSH")
        looks = takes[name]
        if looks is _FLAG:
            if equals:
                raise _Unfit("value", f"{name} has no value")
            yield name
            continue
        if not equals:
            value = next(left, "")
        if not looks.fullmatch(value):
            raise _Unfit("value", f"the value of {name} {_IN_WORDS[looks]}")
        # One word: however a value begins, the command takes it for nothing else.
        yield f"{name}={value}"


def _own_file(name: str | None) -> str:
    """The text of a file that is this user's own; empty where it is none."""
    if not name:
        return ""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return ""
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
            return ""
        return os.read(handle, _LONGEST_KEY_FILE).decode("ascii", "replace")
    finally:
        os.close(handle)


def _known_try(word: str) -> str:
    name = word.rpartition("/")[2]
    return f": {name}" if name in _KNOWN_TRIES else ""


def _offer() -> str:
    return f"give one of {', '.join(VERBS)}"


def _options_of(verb: str) -> str:
    return f"{verb} takes {', '.join(VERBS[verb])}"
