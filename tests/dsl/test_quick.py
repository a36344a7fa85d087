"""The quick way through a text without syntax errors gives what the careful one gives, or nothing."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowc.dsl import lalr, quick, recover
from flowc.dsl.spans import Source
from tests.bench import shapes
from tests.fuzz.flows import flow
from tests.fuzz.front_end import programs
from tests.fuzz.programs import program, written

SAMPLES = Path(__file__).parents[1] / "samples"

randoms = st.integers(0, 2**32).map(random.Random)
thorough = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def agree(text: str) -> bool:
    """Whether the quick way gave a tree; it must be the careful one's."""
    source = Source("a.flow", text)
    tree, tokens = quick.parse(lalr.parser(), source)
    if tree is not None:
        parsed = recover.recover(lalr.parser(), source, tokens)
        assert parsed.diagnostics == []
        assert not parsed.damaged
        assert parsed.tree == tree
    return tree is not None


@thorough
@given(randoms)
def test_programs_of_the_grammar(rng: random.Random) -> None:
    agree(written(program(rng), rng).text)


@thorough
@given(randoms)
def test_programs_without_mistakes(rng: random.Random) -> None:
    agree(flow(rng).text())


@pytest.mark.parametrize("seed", range(4))
def test_broken_programs(seed: int) -> None:
    for text in islice(programs(seed), 100):
        agree(text)


@pytest.mark.parametrize("path", sorted(SAMPLES.rglob("*.flow")), ids=lambda path: str(path.relative_to(SAMPLES)))
def test_samples(path: Path) -> None:
    agree(path.read_text(errors="replace"))


def test_a_usual_program_goes_the_quick_way() -> None:
    assert agree(shapes.mixed(20))
    assert agree("edition 1 flow f { }")


@pytest.mark.parametrize("text", ["edition 2 flow f { }", "flow f {", "", "flow f { while = 3 }"])
def test_what_has_to_be_answered_does_not(text: str) -> None:
    assert not agree(text)
