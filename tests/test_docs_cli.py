"""The documentation and the command line say the same."""

import re
from pathlib import Path

import click
import pytest

from edge_fea import errors
from edge_fea.cli import cli
from edge_fea.vision.observation import Outcome

DOCS = Path(__file__).parents[1] / "docs"
README = DOCS.parent / "README.md"
PAGES = [*sorted(DOCS.glob("*.md")), README]
COMMANDS = (DOCS / "commands.md").read_text()


def all_commands(group: click.Group = cli, prefix: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found[prefix + name] = command
        if isinstance(command, click.Group):
            found |= all_commands(command, f"{prefix}{name} ")
    return found


def error_classes(base: type = errors.EdgeFeaError) -> list[type]:
    return [base, *(each for child in base.__subclasses__() for each in error_classes(child))]


@pytest.mark.parametrize("name", all_commands())
def test_every_command_is_documented(name: str) -> None:
    assert f"`edge-fea {name}" in COMMANDS


@pytest.mark.parametrize("name", all_commands())
def test_every_command_and_option_has_help(name: str) -> None:
    command = all_commands()[name]
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option) and option.name != "form":
            assert option.help, option.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_docs_exist(page: Path) -> None:
    """Every `edge-fea ...` in a page parses: command and options are real."""
    for line in re.findall(r"edge-fea ((?:--?\w|[a-z])[^`\n]*)", page.read_text()):
        words = [word for word in line.split() if re.fullmatch(r"--[\w-]+|[a-z][\w-]*", word)]
        known = {
            option
            for each in [cli, *all_commands().values()]
            for p in each.params
            for option in [*p.opts, *p.secondary_opts]
        } | {"--help"}
        for word in words:
            if word.startswith("--"):
                assert word in known, (page.name, line, word)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_exit_codes_are_documented_in_help_docs_and_the_error_tree() -> None:
    codes = {error.exit_code for error in error_classes()} - {1}
    for code in codes:
        assert f"| {code} |" in COMMANDS
        assert str(code) in (cli.epilog or "")
    tree = errors.__doc__ or ""
    for error in error_classes():
        assert error.__name__ in tree
        if not error.__subclasses__():
            assert re.search(rf"{error.__name__}\s+{error.exit_code}\b", tree), error


def test_every_outcome_is_documented() -> None:
    page = (DOCS / "clips.md").read_text()
    assert all(f"`{outcome}`" in page for outcome in Outcome)
