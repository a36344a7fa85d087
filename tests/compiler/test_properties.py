"""What holds for every program: generated ones, not chosen ones."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.compiler.driver import check_source
from flowc.compiler.lower import lower
from flowc.compiler.model import Model
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source
from flowc.dsl.tables import KEYWORDS, RESERVED
from flowc.runtime import plan as plans

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

TOKENS = ["flow", "step", "in", "out", "run", "env", "after", "x", '"a"', "3", "'''", "#", "-", "\n"]
TOKENS += ["{", "}", "[", "]", "(", ")", ".", "=", ",", ":"]

quick = settings(max_examples=60, deadline=None)


@dataclass(frozen=True)
class Program:
    """Step names and, for each step, the earlier ones that it reads from and waits for; `order` is that of the file."""

    names: tuple[str, ...]
    reads: tuple[frozenset[int], ...]
    waits: tuple[frozenset[int], ...]
    order: tuple[int, ...]
    values: tuple[str, ...]

    def text(self, names: tuple[str, ...] | None = None) -> str:
        names = names or self.names
        steps = [self._step(index, names) for index in self.order]
        return "flow generated {\n" + "".join(steps) + "}\n"

    def _step(self, index: int, names: tuple[str, ...]) -> str:
        lines = [f"    in x{other} = {names[other]}.value" for other in sorted(self.reads[index])]
        lines += [f"    after {names[other]}" for other in sorted(self.waits[index])]
        lines += [f"    in own = {self.values[index]}", "    out value: string"]
        arguments = ['"program"', "own", "out.value", *(f"x{other}" for other in sorted(self.reads[index]))]
        return "\n".join([f"  step {names[index]} {{", *lines, f"    run [{', '.join(arguments)}]", "  }\n"])


identifiers = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in KEYWORDS | RESERVED | {"own", "value"}
)
literals = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.booleans().map(lambda value: str(value).lower()),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12).map(
        lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'
    ),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    count = draw(st.integers(1, 6))
    names = tuple(draw(st.lists(identifiers, min_size=count, max_size=count, unique=True)))

    def earlier(index: int) -> frozenset[int]:
        return frozenset(draw(st.sets(st.integers(0, index - 1)))) if index else frozenset()

    reads = tuple(earlier(index) for index in range(count))
    waits = tuple(earlier(index) for index in range(count))
    order = tuple(draw(st.permutations(range(count))))
    return Program(names, reads, waits, order, tuple(draw(literals) for _ in range(count)))


def model_of(text: str) -> Model:
    checked = check_source(Source("generated.flow", text), HERE)
    assert checked.diagnostics == ()
    assert checked.model is not None
    return checked.model


@quick
@given(programs())
def test_a_generated_program_is_good_and_every_reference_is_an_edge(program: Program) -> None:
    model = model_of(program.text())
    expected = {
        (program.names[other], program.names[index])
        for index in range(len(program.names))
        for other in program.reads[index] | program.waits[index]
    }
    assert set(model.graph(model.region).edges) == expected
    assert {(source, step.name) for step in lower(model).steps for source in step.needs} == expected


@quick
@given(programs(), st.data())
def test_renaming_steps_changes_nothing_but_names(program: Program, data: st.DataObject) -> None:
    count = len(program.names)
    others = tuple(data.draw(st.lists(identifiers, min_size=count, max_size=count, unique=True)))
    forward = dict(zip(program.names, others, strict=True))

    def renamed(item: plans.Input) -> plans.Input:
        value = item.value
        if not isinstance(value, plans.FromStep):
            return item
        return replace(item, value=replace(value, step=forward[value.step]))

    before, after = lower(model_of(program.text())), lower(model_of(program.text(others)))
    steps = (
        replace(
            step,
            name=forward[step.name],
            inputs=tuple(map(renamed, step.inputs)),
            needs=tuple(forward[name] for name in step.needs),
        )
        for step in before.steps
    )
    assert replace(before, nodes=tuple(steps)) == after


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
    checked = check_source(Source("any.flow", " ".join(["flow f {", *tokens])), HERE)
    assert checked.model is not None or checked.diagnostics


def test_compiling_depends_on_nothing_but_the_program() -> None:
    script = (
        "import sys, hashlib\n"
        "from pathlib import Path\n"
        "from flowc.compiler.driver import compile_source\n"
        "from flowc.compiler.render import text\n"
        "from flowc.dsl.spans import Source\n"
        "for path in sorted(Path('tests/samples').glob('*/*/flow.flow')):\n"
        "    source = Source('flow.flow', path.read_text())\n"
        "    for target in ('argo', 'sfn'):\n"
        "        done = compile_source(source, path.parent, target, 's3://some-bucket/prefix')\n"
        "        print(path, target, text.render(done.diagnostics, source), *(file.text for file in done.files))\n"
    )
    outputs = set()
    for seed in ("0", "1"):
        env = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1
