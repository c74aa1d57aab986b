"""One line over SSH: six verbs with their options get through, and nothing else ever does."""

import os
import shlex
import subprocess
from pathlib import Path

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_fea.cli import cli
from edge_fea.clinic.remote import (
    MOST_CHARACTERS,
    VERBS,
    Refusal,
    Request,
    asker,
    fingerprint,
    understand,
)

WORDS = st.sampled_from(
    [
        *VERBS,
        *(option for options in VERBS.values() for option in options),
        *("--config", "--database", "--debug", "--output", "-o", "--", "-", "--help", "run"),
        *("/etc/shadow", "../../etc/shadow", "..", "P07", "2026-11-01", "csv", "", "3"),
        *(";", "|", "&&", ">", "$(id)", "`id`", "'", '"', "\\", "\n", "\r", "\0", "\t", " ", "#"),
    ]
)
HOSTILE = st.one_of(
    st.text(),
    st.lists(WORDS, max_size=6).map(" ".join),
    st.lists(WORDS, max_size=6).map(shlex.join),
    st.tuples(st.sampled_from([*VERBS]), st.text()).map(" ".join),
    # What is no UTF-8 comes out of the environment like this.
    st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)


def heard(line: str | None) -> Request:
    found = understand(line)
    assert isinstance(found, Request), found
    return found


def refused(line: str | None) -> Refusal:
    found = understand(line)
    assert isinstance(found, Refusal), found
    return found


@given(HOSTILE)
@example("status; id")
@example("status --format=text --config=/etc/shadow")
@example("report --from -o")
def test_whatever_is_typed_only_listed_verbs_and_options_get_through(line: str) -> None:
    found = understand(line)
    if isinstance(found, Refusal):
        assert found.action in {*VERBS, "ssh"}
        return
    assert found.verb in VERBS
    for argument in found.arguments:
        name, equals, value = argument.partition("=")
        assert name in VERBS[found.verb]
        assert bool(equals) == (VERBS[found.verb][name] is not None)
        assert set(value).isdisjoint("/\\ \t\r\n\0;|&<>$`'\"(){}*?~!#%")


@given(HOSTILE)
def test_a_refusal_repeats_nothing_that_was_typed_but_options_and_known_names(line: str) -> None:
    found = understand(line)
    if isinstance(found, Refusal):
        assert found.kind.isascii()
        assert found.kind.isprintable()
        assert found.message.isascii()
        assert found.message.isprintable()
        assert len(found.kind) < 40


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("clips --from 22/11/2026", "letters, digits and _ . : + - only, at most 64"),
        ("report --language /etc/passwd", "a language's code such as en"),
    ],
)
def test_what_a_value_may_be_is_said_in_words(line: str, words: str) -> None:
    message = refused(line).message
    assert words in message
    assert "[" not in message


@given(st.from_regex(r"[A-Z][0-9]{4,12}", fullmatch=True))
def test_a_pseudonym_typed_in_the_wrong_place_is_never_put_on_record(name: str) -> None:
    for line in (name, f"status {name}", f"clips --patient {name} {name}", f"clips --{name}"):
        found = refused(line)
        assert name not in found.action + found.kind


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("status", ()),
        ("status --format json", ("--format=json",)),
        ("clips --from 2026-11-01 --sufficient", ("--from=2026-11-01", "--sufficient")),
        ("report --from=2026-11-01T00:00+01:00", ("--from=2026-11-01T00:00+01:00",)),
        ("export --format 'csv' --patient P_0.7-a", ("--format=csv", "--patient=P_0.7-a")),
        ("  summary   --by day  ", ("--by=day",)),
        # A value is a value, however it begins.
        ("clips --limit --format", ("--limit=--format",)),
        ("report --language de --pdf", ("--language=de", "--pdf")),
        ("pack --since-last", ("--since-last",)),
    ],
)
def test_a_request_is_read(line: str, arguments: tuple[str, ...]) -> None:
    assert heard(line) == Request(line.split()[0], arguments)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (None, "no verb"),
        ("", "no verb"),
        ("   ", "no verb"),
        ("''", "no such verb"),
        ("STATUS", "no such verb"),
        ("P0815", "no such verb"),
        ("/usr/lib/openssh/sftp-server", "no such verb: sftp-server"),
        ("internal-sftp", "no such verb: internal-sftp"),
        ("scp -t .", "no such verb: scp"),
        ("rsync --server . /", "no such verb: rsync"),
        ("run", "no such verb: run"),
        ("edge-fea run", "no such verb: edge-fea"),
        ("--config /etc/shadow status", "no such verb"),
        ("status;id", "no such verb"),
        ("$(id)", "no such verb"),
        ("status ; id", "argument"),
        ("status $(id)", "argument"),
        ("status `id`", "argument"),
        ("status | id", "argument"),
        ("status > /tmp/x", "argument"),
        ("clips ../../etc/shadow", "argument"),
        ("clips ''", "argument"),
        ("status --config /etc/shadow", "option"),
        ("status --database=/etc/shadow", "option"),
        ("export --format csv -o /tmp/x", "option"),
        ("export --format csv --output /tmp/x", "option"),
        ("clips --help", "option"),
        ("clips --form csv", "option"),
        ("clips -- x", "option"),
        ("clips -", "option"),
        ("clips --patient ../../etc/shadow", "value"),
        ("clips --patient '$(id)'", "value"),
        ("clips --patient", "value"),
        ("clips --patient=", "value"),
        ("clips --sufficient=yes", "value"),
        ("report --language words.toml", "value"),
        ("clips --patient " + "x" * 65, "value"),
        ("clips --patient 'x", "quotes"),
        ("clips \\", "quotes"),
        ("status\nid", "characters"),
        ("status\r", "characters"),
        ("status\0", "characters"),
        ("status --format\tjson", "characters"),
        ("clips --patient \u202e", "characters"),
        ("clips --patient \udcff", "characters"),
        ("x" * (MOST_CHARACTERS + 1), "too long"),
        ("status " + "--format json " * 1_000_000, "too long"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_everything_else_is_refused(line: str | None, kind: str) -> None:
    assert refused(line).kind == kind


def test_a_refusal_says_what_there_is() -> None:
    assert "give one of status, clips, summary, report, export, pack" in refused(None).message
    assert refused("status --config x").message == (
        "status: no option --config over SSH; status takes --format"
    )


def commands() -> list[click.Command]:
    context = click.Context(cli)
    found = [cli.get_command(context, verb) for verb in VERBS]
    return [command for command in found if command is not None]


@pytest.mark.parametrize("command", commands(), ids=lambda command: str(command.name))
def test_options_over_ssh_are_the_commands_own_and_none_names_a_file(
    command: click.Command,
) -> None:
    options = {
        name: option
        for option in command.params
        if isinstance(option, click.Option)
        for name in [*option.opts, *option.secondary_opts]
    }
    for name, looks in VERBS[str(command.name)].items():
        assert options[name].is_flag == (looks is None)
        assert not isinstance(options[name].type, click.Path | click.File)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.with_suffix(".pub")


def printed(key: Path) -> str:
    done = subprocess.run(["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True)
    return done.stdout.split()[1]


def test_the_fingerprint_is_the_one_that_ssh_keygen_prints(key: Path, tmp_path: Path) -> None:
    record = tmp_path / "sshauth"
    record.write_text("publickey " + " ".join(key.read_text().split()[:2]) + "\n")
    assert asker(str(record)) == f"ssh:{printed(key)}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "publickey",
        "publickey ssh-ed25519",
        "publickey ssh-ed25519 not-base64",
        "publickey ssh-ed25519-cert-v01@openssh.com AAAA",
        "password",
        "hostbased ssh-ed25519 AAAA",
    ],
)
def test_without_a_key_nobody_is_named(text: str) -> None:
    assert fingerprint(text) is None


@given(st.text())
def test_a_record_of_any_content_is_read(text: str) -> None:
    found = fingerprint(text)
    assert found is None or found.startswith("SHA256:")


@pytest.mark.parametrize("name", [None, "", "/nowhere", "/etc", "/dev/zero", "\0"])
def test_a_record_that_is_no_file_names_nobody(name: str | None) -> None:
    assert asker(name) == "ssh:unknown"


def test_a_record_that_is_somebody_elses_names_nobody(key: Path, tmp_path: Path) -> None:
    record, link = tmp_path / "sshauth", tmp_path / "link"
    record.write_text("publickey " + key.read_text())
    link.symlink_to(record)
    assert asker(str(link)) == "ssh:unknown"
    if os.geteuid() == 0:
        os.chown(record, 65534, 65534)
        assert asker(str(record)) == "ssh:unknown"
