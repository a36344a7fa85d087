"""`either`, `previous` and stars in nests of blocks: what is accepted reads nothing that still runs, and what is
offered as a remedy is accepted.

Random nests of all blocks with steps that may fail, and readers at every place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.compiler.driver import check_source
from flowc.compiler.model import Model
from flowc.compiler.values import Gather, LastTurn, Previous, Value, parts
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source

# Warnings about what has no use: none has, in these programs.
_USELESS = ("F0212", "F0213", "F0262", "F0263", "F0264")


def checked(inside: str) -> tuple[Model | None, list[Diagnostic]]:
    text = f"flow f {{\nparam ns: list[int] = [1]\nparam go: bool\n{inside}\n}}\n"
    found = check_source(Source("t.flow", text), Path("/nowhere"))
    return found.model, [item for item in found.diagnostics if item.code not in _USELESS]


def codes(inside: str) -> list[str]:
    return [item.code for item in checked(inside)[1]]


def step(name: str, value: str = "", *, fails: bool = False) -> str:
    read = f"in v = {value} " if value else ""
    may = "allow_failure = true " if fails else ""
    return f'step {name} {{ {read}{may}out x: int out d: bool run ["x", out.x, out.d] }} '


# --- another loop than the reader's -----------------------------------------------------------------------------------

INNER = f"repeat max 3 {{ {step('a')} {step('r', 'either(b.x, previous(a.x, 1))[*]')} }} until a.d"
OTHER = f"foreach j in ns {{ {step('b', fails=True)} }}\n"


@pytest.mark.parametrize("around", ["repeat max 3 {{ {} }} until a.d", "foreach k in ns {{ {} }}"])
@pytest.mark.parametrize("value", ["either(b.x, a.x)[*]", "either(a.x, b.x)[*]", "either(b.x, either(a.x, 1))[*]"])
def test_a_step_of_the_readers_own_loop_is_not_known_in_another(around: str, value: str) -> None:
    (found,) = checked(OTHER + around.format(step("a") + step("r", value)))[1]
    word = around.split()[0]
    assert found.code == "F0233"
    assert found.message == f"`a.x` is of the `{word}` around here, and `either(…)[*]` is read in another loop"


def test_nor_is_what_it_collects_a_variable_or_the_turn_before() -> None:
    many = 'foreach j in ns { step b { out l: list[int] run ["x", out.l] } }\n'
    each = "foreach k in ns {{ {} }}"
    turns = "repeat max 3 {{ {} }} until a.d"
    assert codes(many + each.format(step("a") + step("r", "either(b.l, a[*].x)[*]"))) == ["F0233"]
    assert codes(many + each.format(step("a") + step("r", "either(b.l, either(a.x, 1)[*])[*]"))) == ["F0233"]
    assert codes(OTHER + each.format(step("a") + step("r", "either(b.x, k)[*]"))) == ["F0233"]
    assert codes(OTHER + turns.format(step("a") + step("r", "either(b.x, previous(a.x, 1))[*]"))) == ["F0233"]
    assert codes(OTHER + turns.format(step("a") + step("r", "previous(either(b.x, a.x)[*], [1])"))) == ["F0233"]


def test_without_the_star_its_absence_is_the_fault() -> None:
    assert codes(OTHER + f"repeat max 3 {{ {step('a')} {step('r', 'either(b.x, a.x)')} }} until a.d") == ["F0312"]


@pytest.mark.parametrize(
    "inside",
    [
        f"{step('a')} {OTHER} {step('r', 'either(b.x, a.x)[*]')}",
        f"foreach k in ns {{ {step('a')} {OTHER} {step('r', 'either(b.x, a.x)[*]')} }}",
        f"repeat max 3 {{ {step('a')} {OTHER} {step('r', 'either(b.x, a.x)[*]')} }} until a.d",
        f"repeat max 3 {{ {step('a')} {OTHER} {step('r', 'either(b.x, previous(a.x, 1))[*]')} }} until a.d",
        f"repeat max 2 {{ {OTHER} {INNER} }} until go",
    ],
)
def test_what_is_around_both_is_known(inside: str) -> None:
    """In the last one the turn is that of the outer loop: in the turn before of that, the inner one is over."""
    assert codes(inside) == []


# --- all together -----------------------------------------------------------------------------------------------------


@dataclass
class Nest:
    """`text` with a mark for each reader, `@0`, `@1`, …; the steps by name."""

    text: str = ""
    steps: list[str] = field(default_factory=list)
    blocks: int = 0
    readers: int = 0

    def reader(self) -> str:
        self.readers += 1
        return f"@{self.readers - 1} "


@st.composite
def nests(draw: st.DrawFn) -> Nest:
    nest = Nest()

    def nodes(depth: int) -> str:
        text = nest.reader()
        for _ in range(draw(st.integers(1, 2))):
            text += block(depth) if depth < 3 and nest.blocks < 5 and draw(st.integers(0, 3)) else leaf()
        return text + nest.reader()

    def leaf() -> str:
        name = f"s{len(nest.steps)}"
        nest.steps.append(name)
        return step(name, fails=draw(st.integers(0, 3)) == 0)

    def block(depth: int) -> str:
        nest.blocks += 1
        number = nest.blocks
        match draw(st.sampled_from(["foreach", "if", "if else", "repeat"])):
            case "foreach":
                return f"foreach v{number} in ns {{ {leaf()} {nodes(depth + 1)} }}\n"
            case "if":
                return f"if go {{ {leaf()} {nodes(depth + 1)} }}\n"
            case "if else":
                return f"if go {{ {leaf()} {nodes(depth + 1)} }} else {{ {leaf()} {nodes(depth + 1)} }}\n"
        return f"repeat max 3 {{ {leaf()} {nodes(depth + 1)} }} until go\n"

    nest.text = nodes(0)
    if draw(st.booleans()):
        nest.text += f"finally {{ {nest.reader()} }}"
    return nest


def placed(nest: Nest, place: int, value: str) -> str:
    """The program with a reader of the value at that place, and no other."""
    text = re.sub(rf"@{place}\b", lambda _: f'step r {{ in v = {value} run ["x", v] }} ', nest.text)
    return re.sub(r"@\d+\b", "", text)


@st.composite
def programs(draw: st.DrawFn) -> str:
    nest = draw(nests())
    reference = st.builds(
        lambda name, stars: f"{name}{'[*]' * stars}.x", st.sampled_from(nest.steps), st.sampled_from((0, 0, 0, 1, 2))
    )
    values = st.recursive(
        reference,
        lambda inner: st.one_of(
            st.builds(
                lambda args, stars: f"either({', '.join(args)}){'[*]' * stars}",
                st.lists(inner, min_size=1, max_size=3),
                st.sampled_from((0, 1, 1, 2)),
            ),
            st.builds(lambda one, first: f"previous({one}, {first})", inner, st.sampled_from(("0", "[0]", "ns"))),
        ),
        max_leaves=4,
    )
    return placed(nest, draw(st.integers(0, nest.readers - 1)), draw(values))


def running(model: Model, value: Value, around: tuple[str, ...]) -> Iterator[str]:
    """The blocks around the reader that a value takes to be over; what is in the turn before is over."""
    if isinstance(value, (Gather, LastTurn)) and value.block in around:
        yield value.block
    if isinstance(value, Previous):
        outside = around[: around.index(value.block) + 1] if value.block in around else around
        yield from running(model, value.value, outside)
        yield from running(model, value.first, around)
    else:
        for part in parts(value):
            yield from running(model, part, around)


@settings(max_examples=250)
@given(programs())
def test_nothing_is_read_of_a_block_that_still_runs(text: str) -> None:
    model, _ = checked(text)
    if model is not None:
        around = tuple(place.block.name for place in model.chain("r"))
        assert [*running(model, model.step("r").inputs[0].value, around)] == [], text
