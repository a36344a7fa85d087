"""Large flows: everything ends, and nothing recurses along a chain. For how long it takes see `tests.bench.scale`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flowc.compiler import draw
from flowc.compiler.draw.from_model import draw as drawing_of
from flowc.compiler.driver import check_source
from flowc.compiler.lower import lower
from flowc.dsl.format import format_source
from flowc.dsl.spans import Source
from flowc.runtime import plan as plans
from tests.bench import shapes

# Ten times Python's limit of recursion; nothing may need another limit.
STEPS = 10_000

SHAPES: dict[str, Callable[[], str]] = {
    "a chain": lambda: shapes.chain(STEPS),
    "a chain, last step first": lambda: shapes.backward_chain(STEPS),
    "diamonds": lambda: shapes.diamonds(250),
    "beside each other": lambda: shapes.wide(STEPS),
    "a mix of blocks": lambda: shapes.mixed(STEPS // 5),
    "50 blocks deep": lambda: shapes.nested(50),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_stage_ends(shape: str, tmp_path: Path) -> None:
    assert sys.getrecursionlimit() <= 1000
    source = Source("large.flow", SHAPES[shape]())
    checked = check_source(source, tmp_path)
    assert checked.diagnostics == ()
    assert checked.model is not None
    model = checked.model
    plan = lower(model)
    assert plans.load(plans.dump(plan)) == plan
    assert model.graph(model.region).number_of_nodes() == len(model.region.nodes)
    drawing = drawing_of(model)
    for format_ in ("mermaid", "dot", "json"):
        assert draw.render(drawing, format_)
    laid_out, diagnostics = format_source(source)
    assert laid_out is not None
    assert diagnostics == ()


def test_a_ring_of_ten_thousand_steps_is_told_once(tmp_path: Path) -> None:
    text = shapes.chain(STEPS).replace("  step s0 {\n", f"  step s0 {{\n    after s{STEPS - 1}\n", 1)
    found = check_source(Source("ring.flow", text), tmp_path)
    assert [item.code for item in found.diagnostics] == ["F0206"]


def test_deeper_than_anybody_nests_is_refused(tmp_path: Path) -> None:
    found = check_source(Source("deep.flow", shapes.nested(1000)), tmp_path)
    assert [item.code for item in found.diagnostics] == ["F0118"]
