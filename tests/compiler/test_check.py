"""What is wrong with flows whose names are right: the graph, bodies and gangs, functions to call, and what is odd."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flowc.compiler import check_graph, pycheck
from flowc.compiler.driver import check_source
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source

NOWHERE = Path("/nowhere")


def said(inside: str, folder: Path = NOWHERE) -> tuple[Diagnostic, ...]:
    return check_source(Source("t.flow", f"flow f {{\n{inside}\n}}\n"), folder).diagnostics


def codes(inside: str, folder: Path = NOWHERE) -> list[str]:
    return [item.code for item in said(inside, folder)]


def only(inside: str, folder: Path = NOWHERE) -> Diagnostic:
    found = said(inside, folder)
    assert len(found) == 1, [(item.code, item.message) for item in found]
    return found[0]


def step(name: str, *lines: str, out: str = "int", reads: tuple[str, ...] = ()) -> str:
    """A step with an output `x`, and an input for each reference that it reads."""
    inputs = "".join(f"in i{n} = {text} " for n, text in enumerate(reads))
    arguments = ", ".join(f"i{n}" for n in range(len(reads)))
    head = f"step {name} {{ {inputs} out x: {out} {' '.join(lines)}"
    return f'{head} run ["{name}", {arguments} {"," * bool(reads)} out.x] }}\n'


# --- steps as a whole -------------------------------------------------------------------------------------------------


def test_the_variables_of_inputs_and_outputs_are_set_already() -> None:
    variables = 'env in_b = "c" env out_x = "d" env in_x = "e" env out_b = "f"'
    inside = f'step a {{ in b = 1 out x: int {variables} run ["a", b, out.x] }}'
    assert [(item.code, item.message) for item in said(inside)] == [
        ("F0532", "`in_b` is the variable of the input `b`"),
        ("F0532", "`out_x` is the variable of the output `x`"),
    ]


def test_defaults_may_set_such_a_variable_for_steps_without_the_value() -> None:
    both = 'defaults { env in_b = "c" }\n' + step("z")
    assert codes(both) == []
    assert codes(both + 'step a { in b = 1 run ["a", b] }') == ["F0532"]


# --- the graph --------------------------------------------------------------------------------------------------------


def test_a_ring_is_told_with_its_references() -> None:
    found = only(step("a", reads=("c.x",)) + step("b", reads=("a.x",)) + step("c", "after b"))
    assert (found.code, found.message) == ("F0206", "these wait for each other: `a` → `c` → `b` → `a`")
    assert [found.label, *(label.text for label in found.related)] == [
        "`a` waits for `c`",
        "`c` waits for `b`",
        "`b` waits for `a`",
    ]


def test_in_a_loop_the_turn_before_may_be_meant() -> None:
    ring = step("a", reads=("b.x",)) + step("b", reads=("a.x",))
    plain = "take one of these references out of the ring"
    assert only(ring).help == (plain,)
    assert only(f"repeat max 3 {{ {ring} }} until b.x > 1").help == (
        plain,
        "what the turn before has made is `previous(b.x, …)`, with the first turn's value behind the comma",
    )
    assert only(f"repeat max 3 {{ {step('a', 'after b')} {step('b', 'after a')} }} until b.x > 1").help == (plain,)


def test_a_ring_through_blocks_names_them_as_they_are_written() -> None:
    inside = (
        "param go: bool\n"
        "foreach item in [1, 2] {\n" + step("a", reads=("item", "b.x")) + "}\n"
        "repeat max 3 {\n" + step("b", "after c") + "} until b.x > 1\n"
        "if go {\n" + step("c", reads=("a[*].x",)) + "}\n"
    )
    found = only(inside)
    assert found.message == (
        "these wait for each other: the `foreach item` block → the `repeat` in line 6 → the `if` in line 9 "
        "→ the `foreach item` block"
    )
    assert found.label == "`a` in the `foreach item` block waits for `b` in the `repeat` in line 6"
    assert [label.text for label in found.related] == [
        "`b` in the `repeat` in line 6 waits for `c` in the `if` in line 9",
        "`c` in the `if` in line 9 waits for `a` in the `foreach item` block",
    ]


def test_a_ring_inside_a_block_is_one_of_its_region() -> None:
    inside = "foreach item in [1, 2] {\n" + step("a", reads=("item", "b.x")) + step("b", reads=("a.x",)) + "}"
    assert only(inside).message == "these wait for each other: `a` → `b` → `a`"


def test_the_shortest_ring_is_told_and_every_knot_once() -> None:
    knot = (
        step("a", reads=("b.x",))
        + step("b", reads=("c.x",))
        + step("c", reads=("a.x", "d.x"))
        + step("d", reads=("c.x",))
    )
    other = step("p", reads=("q.x",)) + step("q", reads=("p.x",))
    found = said(knot + other)
    assert [item.message for item in found] == [
        "these wait for each other: `a` → `b` → `c` → `a`",
        "these wait for each other: `p` → `q` → `p`",
    ]


def test_a_long_ring_is_told_by_a_part_of_it() -> None:
    inside = "".join(step(f"s{n}", f"after s{(n + 1) % 50}") for n in range(50))
    found = only(inside)
    assert found.message.count("→") == 7
    assert found.message.endswith("`s5` → … → `s0`")
    assert len(found.related) == 7


@pytest.mark.parametrize(
    ("inside", "message", "help_"),
    [
        (step("a", reads=("a.x",)), "`a` waits for itself", "take the line out, or name another step"),
        (step("a", "after a"), "`a` waits for itself", "take the line out, or name another step"),
        (
            "repeat max 2 {" + step("a", reads=("a.x",)) + "} until a.x > 1",
            "`a` waits for itself",
            "the value of the turn before is `previous(a.x, …)`, with the first turn's value behind the comma",
        ),
        (
            "foreach i in a[*].x {" + step("a", reads=("i",)) + "}",
            "the `foreach i` block waits for `a`, which is inside it",
            "what the head of a block reads comes from steps outside the block",
        ),
        (
            "if a.x > 1 {" + step("a") + "}",
            "the `if` in line 2 waits for `a`, which is inside it",
            "what the head of a block reads comes from steps outside the block",
        ),
        (
            step("b") + "if b.x > 1 {" + step("a") + "} else if a.x > 1 {" + step("c") + "}",
            "the `if` in line 3 waits for `a`, which is inside it",
            "what the head of a block reads comes from steps outside the block",
        ),
    ],
)
def test_what_waits_for_itself(inside: str, message: str, help_: str) -> None:
    found = only(inside)
    assert (found.code, found.message, found.help) == ("F0250", message, (help_,))


@pytest.mark.parametrize(
    "inside",
    [
        # `until` and `previous` read what is over.
        "repeat max 2 {" + step("a") + "} until a.x > 1",
        "repeat max 2 {" + step("a", reads=("previous(a.x, 0)",)) + "} until a.x > 1",
        "repeat max 2 {" + step("a", reads=("previous(b.x, 0)",)) + step("b", reads=("a.x",)) + "} until a.x > 1",
        # A step may stand above what it waits for.
        step("a", reads=("b.x",)) + step("b"),
        # `after` asks for nothing: not even that the arm is taken.
        "param go: bool\nif go {" + step("a") + "} else {" + step("b", "after a") + "}",
        step("z", "after a") + "param go: bool\nif go {" + step("a") + "}",
        step("z", "after a") + step("a", "allow_failure = true"),
        step("z", "after a") + "foreach i in [1] {" + step("a", reads=("i",)) + "}",
    ],
)
def test_what_does_not_wait_for_itself(inside: str) -> None:
    assert codes(inside) == []


def test_what_previous_reads_outside_its_loop_is_waited_for() -> None:
    """The value of the turn before is read in every turn; what stands outside must be there by then."""
    inside = (
        "param go: bool\n"
        + step("a", reads=("r.x",))
        + "repeat max 2 {"
        + f"if go {{ {step('s')} }}"
        + step("r", reads=("previous(either(s.x, a.x), 0)",))
        + "} until r.x > 1"
    )
    assert only(inside).code == "F0206"


def test_no_depth_and_no_length_is_too_much() -> None:
    chain = step("s0") + "".join(step(f"s{n}", reads=(f"s{n - 1}.x",)) for n in range(1, 2000))
    assert codes(chain) == []
    deep = "param go: bool\n" + "if go {\n" * 50 + step("a") + "}\n" * 50
    assert codes(deep) == []
    limit = sys.getrecursionlimit()
    ring = step("s0", reads=("s1499.x",)) + "".join(step(f"s{n}", reads=(f"s{n - 1}.x",)) for n in range(1, 1500))
    assert (codes(ring), sys.getrecursionlimit()) == (["F0206"], limit)


def test_flows_in_their_order_need_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> bool:
        raise AssertionError

    monkeypatch.setattr(check_graph, "_has_ring", never)
    assert codes(step("a") + step("b", reads=("a.x",))) == []
    with pytest.raises(AssertionError):
        codes(step("b", reads=("a.x",)) + step("a"))


# --- gangs ------------------------------------------------------------------------------------------------------------

GANG = "step g parallel(2) {{ {} }}"
BODIES = {
    "a program": 'run ["work"]',
    "a Python file": 'run ["train.py"]',
    "a module": 'run ["-m", "train"]',
    "bash": "run bash ''' work '''",
    "python": "run python ''' pass '''",
    "call": 'call "train.py:main"',
}
FITS = {
    "": ("a program", "a Python file", "a module", "bash", "python", "call"),
    "torchrun {}": ("a Python file", "a module", "python", "call"),
    "deepspeed {}": ("a Python file", "a module", "python", "call"),
    "tensorflow {}": ("a program", "a Python file", "a module", "bash", "python", "call"),
    "ray {}": ("a program", "a Python file", "a module", "python", "call"),
    "mpi {}": ("a program", "a Python file", "a module", "bash", "python", "call"),
}


@pytest.mark.parametrize("block", FITS)
@pytest.mark.parametrize("body", BODIES)
def test_which_bodies_fit_which_framework(block: str, body: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("def main():\n    pass\n")
    found = codes(GANG.format(f"{block} {BODIES[body]}"), tmp_path)
    fault = {"bash": "F0508", "a program": "F0507"}.get(body)
    assert found == ([] if body in FITS[block] else [fault])


@pytest.mark.parametrize("program", ["python", "/usr/bin/python3", "torchrun", "deepspeed"])
def test_what_starts_python_needs_no_word_for_it(program: str) -> None:
    found = only(GANG.format(f'deepspeed {{}} run ["{program}", "train.py"]'))
    assert (found.code, found.help) == ("F0507", (f"leave out '{program}': deepspeed starts Python itself",))


@pytest.mark.parametrize("body", BODIES)
def test_an_unknown_framework_is_one_mistake(body: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("def main():\n    pass\n")
    assert codes(GANG.format(f"horovod {{}} {BODIES[body]}"), tmp_path) == ["F0503"]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ('step s { out each x: int run ["s", out.x] }', ["F0513"]),
        ('step s parallel(2) { out each x: int run ["s", out.x] }', []),
        ('step s parallel(2) { out each x: int ray {} run ["s", out.x] }', ["F0514"]),
        ('step s parallel(2) { out each x: int mpi {} run ["s", out.x] }', []),
        ('param n: int = 0\nstep s parallel(n) { run ["s"] }', ["F0518"]),
        ('param n: int = 10001\nstep s parallel(n) { run ["s"] }', ["F0518"]),
        ('param n: int = 1\nstep s parallel(n) { run ["s"] }', []),
        ('param n: int\nstep s parallel(n) { run ["s"] }', []),
        ('step s { cache = true run ["s"] }', ["F0517"]),
        ('step s { cache = true out x: int run ["s", out.x] }', []),
        ('defaults { cache = true }\nstep s { run ["s"] }', []),
    ],
)
def test_what_needs_what(inside: str, expected: list[str]) -> None:
    assert codes(inside) == expected


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, "F0515", "there is no file `ds.json`"),
        (b'{"train_batch_size": 8}', None, ""),
        (b'{"train_batch_size": 8,}', "F0516", "`ds.json` is no configuration of DeepSpeed: line 1:"),
        (b"[8]", "F0516", "`ds.json` is no configuration of DeepSpeed: not an object"),
        (b"\xff\xfe\xfd", "F0516", "`ds.json` is no configuration of DeepSpeed: not UTF-8"),
    ],
)
def test_the_configuration_of_deepspeed(content: bytes | None, code: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "ds.json").write_bytes(content)
    found = said(GANG.format('deepspeed { config = "ds.json" } run ["-m", "train"]'), tmp_path)
    assert [item.code for item in found] == ([code] if code else [])
    assert all(item.message.startswith(message) for item in found)


# --- programs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("run []", ["F0510"]),
        ("run bash '''   '''", ["F0511"]),
        ('run [" "]', ["F0512"]),
        ("run [7]", ["F0512"]),
        ("in p = 7 run [p]", ["F0512"]),
        ('in p = "tool" run [p]', []),
        ('in p = ["tool", "-v"] run [p]', []),
        ("in p = [1, 2] run [p]", ["F0512"]),
        ('in p = "tool" run ["${p}/bin"]', []),
        ("out x: int run [out.x]", ["F0512"]),
        ("run [run.id]", ["F0512"]),
        ('run ["python", "absent.py"]', ["F0521"]),
        ('run ["python", "/opt/absent.py"]', []),
        ('run ["python", "../absent.py"]', ["F0528"]),
    ],
)
def test_a_command_begins_with_a_program(inside: str, expected: list[str]) -> None:
    assert codes(f"step s {{ {inside} }}") == expected


# --- functions to call ------------------------------------------------------------------------------------------------

MODULE = """
import functools
from elsewhere import imported

class Klass:
    pass

NUMBER = 7
TABLE: dict[str, int] = {}
a, b = 1, 2
made = functools.partial(print, "x")
other = made
small = lambda: 0

try:
    twice = None
except Exception:
    def twice(): pass

@functools.cache
def decorated(anything): pass

def plain(): pass

def yields():
    yield 1

def holds_one():
    def inner():
        yield 1
    return list(inner())

async def waits(): pass
"""


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Klass", "F0530"),
        ("NUMBER", "F0530"),
        ("TABLE", "F0530"),
        ("yields", "F0531"),
        ("waits", "F0526"),
        ("absent", "F0523"),
        *((name, None) for name in ("imported", "made", "other", "small", "twice", "decorated", "plain", "holds_one")),
        *((name, None) for name in ("a", "b")),
    ],
)
def test_what_can_be_called(name: str, code: str | None, tmp_path: Path) -> None:
    (tmp_path / "lib.py").write_text(MODULE)
    for lines in ("step s {", "step s parallel(2) {", "step s parallel(2) { torchrun {}"):
        found = said(f'{lines} call "lib.py:{name}" }}', tmp_path)
        assert [item.code for item in found] == ([code] if code else [])
    if code == "F0530":
        line = next(n for n, text in enumerate(MODULE.split("\n"), 1) if name in text)
        assert (
            only(f'step s {{ call "lib.py:{name}" }}', tmp_path).help[0].endswith(f"`{name}` is in lib.py, line {line}")
        )


def test_what_could_not_be_called_is_not_offered(tmp_path: Path) -> None:
    (tmp_path / "lib.py").write_text("def plain(): pass\nasync def waits(): pass\ndef yields():\n    yield 1\n")
    assert only('step s { call "lib.py:absent" }', tmp_path).help == ("its functions: `plain`",)


def test_a_file_is_read_once_and_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib.py").write_text("raise SystemExit\ndef f(): pass\ndef g(): pass\n")
    read: list[Path] = []
    parse = pycheck._parse

    def counted(path: Path) -> object:
        read.append(path)
        return parse(path)

    monkeypatch.setattr(pycheck, "_parse", counted)
    assert codes('step s { call "lib.py:f" }\nstep t { call "lib.py:g" }', tmp_path) == []
    assert read == [tmp_path / "lib.py"]


# --- what is odd ------------------------------------------------------------------------------------------------------

PARAMS = "param n: int = 1\nparam go: bool = true\n"
THREE_ARMS = "if n == 1 {{ step s { } }} else if go {{ step t { } }} else if {condition} {{ step u { } }}".replace(
    "{ }", '{{ run ["work"] }}'
)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        # Names that nobody reads: any place where a value may stand counts.
        ('step s { run ["s"] }', ["F0212", "F0212"]),
        ('if go { step s parallel(n) { run ["s"] } }', []),
        ('foreach i in [n] { if go { step s { in i run ["s", i] } } }', []),
        ('repeat max 3 { step s { out x: int run ["s", out.x] } } until go or s.x > n', []),
        ('step s { in t = "${n} ${go}" run ["s", t] }', []),
        ('if go { foreach i in [1] { step s parallel(i) { in n run ["s", n] } } }', []),
        ('if go { foreach i in [1] { step s { in n run ["s", n] } } }', ["F0262"]),
        # Conditions with one answer.
        ('if true { step s { in n in go run ["s", n, go] } }', ["F0260"]),
        ('if go { step s { in n run ["s", n] } } else if not true { step t { run ["t"] } }', ["F0260"]),
        ('if go and false { step s { in n run ["s", n] } }', ["F0260"]),
        ('if go or 1 < 2 { step s { in n run ["s", n] } } else { step t { run ["t"] } }', ["F0260"]),
        (
            THREE_ARMS.format(condition="n == 1"),
            ["F0261"],
        ),
        (
            THREE_ARMS.format(condition="n == 2"),
            [],
        ),
    ],
)
def test_names_and_conditions(inside: str, expected: list[str]) -> None:
    assert codes(PARAMS + inside) == expected


@pytest.mark.parametrize(
    ("limit", "until", "expected"),
    [
        (1, "s.x > 1", ["F0263"]),
        (1, "true", ["F0263"]),
        (2, "s.x > 1", []),
        (2, "previous(s.x, 0) > 1", []),
        (2, "false", []),
        (2, "true", ["F0264"]),
        (2, "before.x > 1", ["F0264"]),
        (2, "either(s.x, before.x) > 1", ["F0258"]),
    ],
)
def test_loops_that_do_not_loop(limit: int, until: str, expected: list[str]) -> None:
    inside = step("before") + f"repeat max {limit} {{ {step('s', 'after before')} }} until {until}"
    assert codes(inside) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('run ["s", i, out.x]', []),
        ('run ["s", i, "--to=${out.x}"]', []),
        ('env TO = out.x run ["s", i]', []),
        ('run ["s", i]', ["F0266"]),
        ('run ["s", out.x]', ["F0213"]),
        ('run ["python", "-c", "pass"]', []),
        ("run bash ''' echo $in_i > $out_x '''", []),
        ("run bash ''' echo $in_i '''", ["F0266"]),
        ("run bash ''' python -m work '''", []),
        ("run bash ''' ./work.sh '''", []),
        ("run python ''' pass '''", []),
    ],
)
def test_inputs_and_outputs_that_the_body_does_not_name(body: str, expected: list[str]) -> None:
    assert codes(f"param i: int = 1\nstep s {{ in i out x: int {body} }}") == expected


def test_secrets_that_nobody_uses() -> None:
    secret = 'secret hub { argo = "hub/token" }\n'
    assert codes(secret + 'step s { run ["s"] }') == ["F0265"]
    assert codes(secret + 'step s { env T = secret.hub run ["s"] }') == []
    assert codes(secret + 'defaults { env T = secret.hub }\nstep s { run ["s"] }') == []


def test_an_output_that_nobody_reads_is_a_result() -> None:
    assert codes(step("a")) == []
