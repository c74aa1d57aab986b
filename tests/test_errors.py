"""The tree of errors: drawn in its docstring as it is, with the exit codes of the commands."""

import re

import pytest

from edge_fea import errors
from edge_fea.errors import EdgeFeaError, SourceStalled

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, EdgeFeaError)
]
DRAWN = re.compile(r"^    (?P<branch>[ │├└─]*)(?P<name>[A-Z]\w+)(?: +(?P<code>\d+))?", re.MULTILINE)


def drawing() -> dict[str, tuple[str | None, str | None]]:
    """Of each error in the docstring: the name of the one above it, and its exit code."""
    assert errors.__doc__
    found: dict[str, tuple[str | None, str | None]] = {}
    above: dict[int, str] = {}
    for match in DRAWN.finditer(errors.__doc__):
        depth = len(match["branch"])
        parents = [above[level] for level in sorted(above) if level < depth]
        found[match["name"]] = (parents[-1] if parents else None, match["code"])
        above = {level: name for level, name in above.items() if level < depth}
        above[depth] = match["name"]
    return found


def test_every_error_is_drawn_and_nothing_else() -> None:
    assert list(drawing()) == [kind.__name__ for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_hangs_where_it_is_drawn(kind: type[EdgeFeaError]) -> None:
    parent, _ = drawing()[kind.__name__]
    assert kind.__base__ is not None
    assert kind.__base__.__name__ == (parent or "Exception")


@pytest.mark.parametrize("kind", KINDS)
def test_every_exit_code_is_the_one_that_is_drawn(kind: type[EdgeFeaError]) -> None:
    _, code = drawing()[kind.__name__]
    # Two branches carry no number in the drawing: nobody raises them themselves.
    assert code in (None, str(kind.exit_code))


@pytest.mark.parametrize("kind", KINDS)
def test_no_error_of_its_own_ends_as_success_or_as_a_wrong_command_line(
    kind: type[EdgeFeaError],
) -> None:
    assert kind.exit_code not in (0, 2)
    assert kind is EdgeFeaError or 64 <= kind.exit_code <= 78


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_what_it_is_for(kind: type[EdgeFeaError]) -> None:
    assert kind.__doc__
    assert kind.__doc__ is not kind.__base__.__doc__


def test_a_stall_says_how_long_it_was_waited() -> None:
    error = SourceStalled("camera: no frame", 5.0)
    assert (str(error), error.waited) == ("camera: no frame", 5.0)
