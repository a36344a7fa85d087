"""What the plan of a program does is what the program says; `python -m tests.meaning` tries more programs."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from flowc.compiler.driver import check_source
from flowc.compiler.lower import lower
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source
from flowc.runtime import plan as plans
from tests.fuzz.flows import flow
from tests.meaning.examine import examine, examine_in_folder, shorter
from tests.meaning.plan_run import run
from tests.meaning.programs import program
from tests.meaning.record import Violation
from tests.meaning.tree_meaning import compare

GOOD = sorted((Path(__file__).parents[1] / "samples" / "good").glob("*/flow.flow"))
SEEDS = range(60)
RUNS = range(4)

made = cache(program)


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.parent.name)
def test_a_good_sample_means_what_it_says(file: Path) -> None:
    examine(shorter(file.read_text()), file.parent, RUNS)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_program_of_the_whole_language_means_what_it_says(seed: int) -> None:
    generated = flow(random.Random(seed))
    examine_in_folder(shorter(generated.text()), generated.folder(), RUNS)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_program_that_the_compiler_lets_through_means_what_it_says(seed: int) -> None:
    examine(made(seed), Path(), RUNS)


@pytest.mark.parametrize("form", ["either(", "previous(", ")[*]", "[*][*]", "until s", "in s", "allow_failure"])
def test_the_compiler_lets_enough_through(form: str) -> None:
    assert sum(made(seed).count(form) for seed in SEEDS) > 10


# --- that the two see a fault ---

SMALL = """
flow small {
  step first { out ready: bool out items: list[int] run ["first", out.ready, out.items] }
  foreach item in first.items {
    step one { in item out x: int out y: int run ["one", item, out.x, out.y] }
  }
  if first.ready {
    step yes { out x: int run ["yes", out.x] }
  } else {
    step no { out x: int run ["no", out.x] }
  }
  repeat max 3 {
    step turn { in before = previous(turn.x, 0) out x: int out done: bool run ["turn", before, out.x, out.done] }
  } until turn.done
  step last {
    in all  = one[*].x
    in some = either(yes.x, no.x)
    in end  = turn.x
    run ["last", all, some, end]
  }
}
"""


def with_nodes(plan: plans.Plan, change: Callable[[plans.Node], plans.Node]) -> plans.Plan:
    """The plan with each node of the flow itself changed."""
    return replace(plan, nodes=tuple(change(node) for node in plan.nodes))


def waiting_for_nothing(node: plans.Node) -> plans.Node:
    return replace(node, needs=())


def waiting_for_the_last(node: plans.Node) -> plans.Node:
    return replace(node, needs=("last",))


def with_arms_swapped(node: plans.Node) -> plans.Node:
    return replace(node, arms=node.arms[::-1]) if isinstance(node, plans.Branch) else node


def with_one_turn(node: plans.Node) -> plans.Node:
    return replace(node, limit=1) if isinstance(node, plans.Loop) else node


def reading(name: str, value: plans.Value) -> Callable[[plans.Node], plans.Node]:
    """`last` with another value for one of its inputs."""

    def change(node: plans.Node) -> plans.Node:
        if not isinstance(node, plans.Step) or node.name != "last":
            return node
        return replace(node, inputs=tuple(replace(i, value=value) if i.name == name else i for i in node.inputs))

    return change


CHANGES: dict[str, tuple[Callable[[plans.Node], plans.Node], str]] = {
    "nothing waits": (waiting_for_nothing, "is read, but has not been made|should have got|is ABSENT"),
    "all wait for the last": (waiting_for_the_last, "these wait for ever"),
    "the arms are swapped": (with_arms_swapped, "should have run"),
    "one turn only": (with_one_turn, "has made no outputs"),
    "another output": (reading("all", plans.Gather("item", plans.FromStep("one", "y", False))), "means .* was"),
    "only one arm": (reading("some", plans.FromStep("yes", "x", False)), "is ABSENT, no int"),
    "another type": (reading("some", plans.FromStep("first", "ready", False)), "no int"),
    "a fixed number": (reading("end", plans.Const(0)), "means .* was 0"),
}


def differences(change: Callable[[plans.Node], plans.Node]) -> list[str]:
    """What is found in twenty runs of the small program's plan after a change."""
    source = Source("small.flow", SMALL)
    model, (file, _) = check_source(source, Path()).model, parse(source)
    assert model is not None
    assert file is not None
    found: list[str] = []
    for seed in range(20):
        try:
            assert compare(file.flow, run(with_nodes(lower(model), change), seed)) > 0
        except Violation as violation:
            found.append(str(violation))
    return found


def test_nothing_is_found_where_nothing_was_changed() -> None:
    assert differences(lambda node: node) == []


@pytest.mark.parametrize("name", CHANGES)
def test_a_plan_that_does_something_else_is_found_out(name: str) -> None:
    change, message = CHANGES[name]
    found = differences(change)
    assert found
    assert [each for each in found if not re.search(message, each)] == []
