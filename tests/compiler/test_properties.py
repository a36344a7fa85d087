"""What holds for every program: generated ones, not chosen ones.

`tests/fuzz/flows.py` writes whole programs without mistakes, from the manual alone; what the compiler says of them and
makes of them is compared with what their writer knows.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flowc.compiler.driver import check_source
from flowc.compiler.lower import lower
from flowc.dsl.format import format_source
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source
from flowc.runtime import plan as plans
from tests.fuzz import laws
from tests.fuzz.flows import flow
from tests.fuzz.mistakes import MISTAKES, Mistake
from tests.fuzz.programs import written
from tests.fuzz.tree import Program, renamed, shuffled

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

TOKENS = ["flow", "step", "in", "out", "run", "env", "after", "x", '"a"', "3", "'''", "#", "-", "\n"]
TOKENS += [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ".",
    "=",
    ",",
    ":",
    "foreach",
    "if",
    "else",
    "repeat",
    "until",
    "either",
    "[*]",
]

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
randoms = st.integers(0, 2**32).map(random.Random)
programs = randoms.map(flow)


# --- the text ---------------------------------------------------------------------------------------------------------


@quick
@given(programs, randoms)
def test_a_program_without_mistakes_parses(program: Program, rng: random.Random) -> None:
    neat, odd = program.text(), written(program.tokens(), rng).text
    file, diagnostics = parse(Source("a.flow", neat))
    assert diagnostics == ()
    assert file is not None
    other, diagnostics = parse(Source("a.flow", odd))
    assert diagnostics == ()
    assert other is not None


@quick
@given(programs, randoms)
def test_formatting_changes_nothing_that_is_meant(program: Program, rng: random.Random) -> None:
    text = written(program.tokens(), rng).text
    formatted, diagnostics = format_source(Source("a.flow", text))
    assert formatted is not None
    assert diagnostics == ()
    assert format_source(Source("a.flow", formatted)) == (formatted, ())
    assert laws.bare(parse(Source("a.flow", formatted))) == laws.bare(parse(Source("a.flow", text)))
    assert laws.unordered(laws.plan_of(program, formatted)) == laws.unordered(laws.plan_of(program, text))


# --- the model and the plan -------------------------------------------------------------------------------------------


@quick
@given(programs)
def test_a_program_without_mistakes_has_a_plan(program: Program) -> None:
    plan = laws.plan_of(program)
    assert plans.load(plans.dump(plan)) == plan
    assert {step.name for step in plan.steps} == {program.names[mark] for mark in (*program.steps, *program.finals)}


@quick
@given(programs)
def test_every_reference_is_an_edge_and_nothing_else_is(program: Program) -> None:
    model = laws.model_of(program)
    assert {(edge.source, edge.target) for edge in model.edges} == laws.expected_edges(program, model)


@quick
@given(programs)
def test_every_edge_survives_lowering(program: Program) -> None:
    model = laws.model_of(program)
    expected = laws.expected_edges(program, model)
    for nodes in laws.regions(lower(model)):
        waits = laws.closure({node.name: node.needs for node in nodes})
        own = {node.name for node in nodes}
        assert {edge for edge in expected if edge[1] in own} <= waits
        # What is not written waits for nothing, unless a decision stands between.
        named = {node.name: [edge[0] for edge in expected if edge[1] == node.name] for node in nodes}
        decisions = {node.name for node in nodes if isinstance(node, plans.Decision)}
        assert {edge for edge in waits if not decisions & set(edge)} == laws.closure(named)


@quick
@given(programs, randoms, st.sampled_from(["s", "p", "v", "spviof"]))
def test_renaming_changes_nothing_but_names(program: Program, rng: random.Random, kinds: str) -> None:
    other, names = renamed(program, kinds, rng)
    before, after = laws.model_of(program), laws.model_of(other)
    assert json.loads(plans.dump(lower(after))) == laws.exchanged(lower(before), names, before, after)


@quick
@given(programs, randoms)
def test_the_order_of_declarations_means_nothing(program: Program, rng: random.Random) -> None:
    assert laws.unordered(laws.plan_of(shuffled(program, rng))) == laws.unordered(laws.plan_of(program))


@quick
@given(programs, randoms, st.sampled_from(MISTAKES))
def test_one_mistake_is_said_once(program: Program, rng: random.Random, mistake: tuple[str, Mistake]) -> None:
    codes, broken = mistake[0].split(), mistake[1](program, rng)
    assume(broken is not None)
    assert broken is not None
    said = [item.code for item in laws.checked(broken).diagnostics if item.severity == "error"]
    assert len(said) == 1
    assert any(said[0].startswith(code) for code in codes)


# --- whatever the text ------------------------------------------------------------------------------------------------


@quick
@given(st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    source = Source("any.flow", text)
    file, diagnostics = parse(source)
    assert file is not None or diagnostics
    for item in diagnostics:
        for span in (item.span, *(label.span for label in item.related)):
            assert span is None or 0 <= span.start <= span.end <= len(text)


@quick
@given(st.lists(st.sampled_from(TOKENS), max_size=60))
def test_any_tokens_are_answered(tokens: list[str]) -> None:
    found = check_source(Source("any.flow", " ".join(["flow f {", *tokens])), HERE)
    assert found.model is not None or found.diagnostics


# --- the same everywhere ----------------------------------------------------------------------------------------------

_SCRIPT = """
import random, sys
from pathlib import Path
from flowc.compiler.driver import check_source, compile_source
from flowc.compiler.lower import lower
from flowc.compiler.render import text
from flowc.dsl.spans import Source
from flowc.runtime import plan
from tests.fuzz import laws
from tests.fuzz.flows import flow
from tests.fuzz.mistakes import MISTAKES, Mistake
from tests.fuzz.mutations import mutate

def show(name, checked, source):
    print(name, text.render(checked.diagnostics, source), plan.dump(lower(checked.model)) if checked.model else "")

for path in sorted(Path("tests/samples").glob("*/*/flow.flow")):
    source = Source("flow.flow", path.read_text())
    show(path, check_source(source, path.parent), source)
    for target in ("argo", "sfn"):
        done = compile_source(source, path.parent, target, "s3://some-bucket/prefix")
        print(path, target, text.render(done.diagnostics, source), *(file.text for file in done.files))
for seed in range(60):
    program = flow(random.Random(seed))
    for words in (program.text(), mutate(program.text(), random.Random(seed))):
        show(seed, laws.checked(program, words), Source("generated.flow", words))
"""


def test_compiling_depends_on_nothing_but_the_program() -> None:
    outputs = set()
    for seed in ("0", "1"):
        env = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", _SCRIPT], cwd=ROOT, env=env, capture_output=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1
