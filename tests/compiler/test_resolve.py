"""resolve: what names stand for, what type a value has, what each scope sees.

Small programs and what becomes of them. The flow's scope is shown by `value`, which resolves one `in` of a reader; the
messages are in the samples, here only their codes and places.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from time import process_time

import pytest

from flowc.compiler.model import Branch, FanOut, Loop, Model
from flowc.compiler.resolve import resolve
from flowc.compiler.values import (
    Constant,
    Either,
    Format,
    Gather,
    InputRef,
    ItemRef,
    LastTurn,
    OutputPath,
    OutputRef,
    ParamRef,
    Previous,
    RunValue,
    SecretRef,
    Unresolved,
    Value,
    parts,
    walk,
)
from flowc.dsl.diagnostics import Diagnostic, in_order
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source, Span


def resolved(text: str) -> tuple[Model, tuple[Diagnostic, ...]]:
    file, diagnostics = parse(Source("t.flow", text))
    assert diagnostics == ()
    assert file is not None
    model, found = resolve(file)
    return model, in_order(found)


def model_of(inside: str) -> Model:
    """The model of a flow without a fault."""
    model, found = resolved(f"flow f {{\n{inside}\n}}\n")
    assert [(item.code, item.message) for item in found] == []
    return model


def faults(inside: str) -> list[tuple[str, str]]:
    """What is wrong with a flow: codes, and the texts they point at."""
    text = f"flow f {{\n{inside}\n}}\n"
    return [(item.code, text[slice(*(item.span or Span(0, 0)))]) for item in resolved(text)[1]]


def step(name: str, lines: str = "", outputs: str = "", head: str = "") -> str:
    """A step with outputs such as `x: int, each y: float`, all of which it writes."""
    declared = [item.strip() for item in outputs.split(",") if item.strip()]
    names = ["out." + item.removeprefix("each ").partition(":")[0] for item in declared]
    outs = " ".join(f"out {item}" for item in declared)
    command = ", ".join(['"x"', *names])
    return f"step {name} {head} {{ {lines} {outs} run [{command}] }}\n"


# What the readers below may refer to.
AROUND = (
    'param n: int = 2  param rate: float = 0.5  param word: string = "w"  param loud: bool = true\n'
    "param names: list[string] = []  param config: json = {}  param grid: list[list[int]] = []\n"
    + step("plain", outputs="i: int, f: float, s: string, b: bool, path: file, js: json, l: list[int]")
    + step("gang", outputs="loss: float, each seconds: float", head="parallel(2)")
    + "foreach region in names {\n"
    + step("check", "in region", "auc: float, path: file")
    + step("cluster", outputs="each rows: int", head="parallel(2)")
    + f"foreach day in [1, 2] {{ {step('count', outputs='rows: int')} }}\n"
    + f"if loud {{ {step('yes', outputs='v: int')} }} else {{ {step('no', outputs='v: int')} }}\n"
    + "}\n"
    + f"repeat max 3 {{ {step('turn', outputs='k: int, text: string')}\n"
    + f"foreach part in [1.5] {{ {step('piece', outputs='size: int')} }} }} until turn.k > 2\n"
)


def value(expression: str) -> Value:
    """What `in a = …` of a step outside of all blocks reads."""
    return model_of(AROUND + step("reader", f"in a = {expression}")).step("reader").inputs[0].value


def type_of(expression: str) -> str:
    return str(value(expression).type)


def codes(expression: str) -> list[str]:
    return [code for code, _ in faults(AROUND + step("reader", f"in a = {expression}"))]


def blocks_through(read: Value) -> list[str]:
    """The blocks that a reference is read through, outermost first."""
    if not isinstance(read, (Gather, LastTurn)):
        return []
    return [f"{type(read).__name__} {read.block}", *blocks_through(read.value)]


# --- the flow's scope -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "type_", "through"),
    [
        ("plain.i", "int", []),
        ("gang.loss", "float", []),
        ("gang[*].seconds", "list[float]", []),
        ("check[*].auc", "list[float]", ["Gather region"]),
        ("check[*].path", "list[file]", ["Gather region"]),
        ("cluster[*][*].rows", "list[list[int]]", ["Gather region"]),
        ("count[*][*].rows", "list[list[int]]", ["Gather region", "Gather day"]),
        ("turn.k", "int", ["LastTurn repeat.piece"]),
        ("piece[*].size", "list[int]", ["LastTurn repeat.piece", "Gather part"]),
    ],
)
def test_a_reference_takes_a_star_for_each_loop_that_its_reader_is_outside_of(
    expression: str, type_: str, through: list[str]
) -> None:
    read = value(expression)
    assert (str(read.type), blocks_through(read)) == (type_, through)


def test_stars_of_a_gang_are_those_of_its_nodes() -> None:
    assert [item.each for item in walk(value("cluster[*][*].rows")) if isinstance(item, OutputRef)] == [True]
    assert [item.each for item in walk(value("gang.loss")) if isinstance(item, OutputRef)] == [False]


@pytest.mark.parametrize(
    ("block", "expression", "type_"),
    [
        ("foreach r in names { READER OTHER }", "other.v", "int"),
        ("foreach r in names { foreach d in [1] { READER } OTHER }", "other.v", "int"),
        ("foreach r in names { foreach d in [1] { OTHER } READER }", "other[*].v", "list[int]"),
        ("foreach r in names { READER } OTHER", "other.v", "int"),
        ("repeat max 2 { READER OTHER } until true", "other.v", "int"),
        ("if loud { OTHER } else { READER }", "other.v", "int"),
    ],
)
def test_what_is_around_both_needs_no_star(block: str, expression: str, type_: str) -> None:
    inside = block.replace("READER", step("reader", f"in a = {expression}"))
    inside = inside.replace("OTHER", step("other", outputs="v: int"))
    model = model_of(AROUND + inside)
    assert str(model.step("reader").inputs[0].type) == type_


@pytest.mark.parametrize(
    ("expression", "code", "place", "fixed"),
    [
        ("check.auc", "F0312", "check.auc", "check[*].auc"),
        ("count.rows", "F0312", "count.rows", "count[*][*].rows"),
        ("count[*].rows", "F0312", "count[*].rows", "count[*][*].rows"),
        ("cluster.rows", "F0312", "cluster.rows", "cluster[*][*].rows"),
        ("cluster[*].rows", "F0313", "cluster[*].rows", "cluster[*][*].rows"),
        ("gang.seconds", "F0313", "gang.seconds", "gang[*].seconds"),
        ("piece.size", "F0312", "piece.size", "piece[*].size"),
        ("turn[*].k", "F0314", "[*]", "turn.k"),
        ("plain[*].i", "F0314", "[*]", "plain.i"),
        ("gang[*].loss", "F0314", "[*]", "gang.loss"),
        ("check[*][*][*].auc", "F0314", "[*][*]", "check[*].auc"),
        ("names[*]", "F0314", "[*]", "names"),
        ("either(yes.v, no.v)", "F0312", "yes.v", "either(yes.v, no.v)[*]"),
        ("either(plain.i, 1)[*]", "F0314", "[*]", "either(plain.i, 1)"),
        ("either(yes.v, no.v)[*][*]", "F0314", "[*]", "either(yes.v, no.v)[*]"),
    ],
)
def test_the_wrong_number_of_stars_is_put_right(expression: str, code: str, place: str, fixed: str) -> None:
    text = f"flow f {{\n{AROUND}{step('reader', f'in a = {expression}')}}}\n"
    (found,) = resolved(text)[1]
    assert found.span is not None
    assert found.fix is not None
    assert (found.code, text[slice(*found.span)]) == (code, place)
    (edit,) = found.fix.edits
    right = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert f"in a = {fixed} " in right
    assert resolved(right)[1] == ()


@pytest.mark.parametrize(
    "line",
    ['in a = "${check.auc}"', "in a = check.auc > 0.5", "in a = not check.auc", "in a = [check.auc == 1]"],
)
def test_where_a_list_would_be_as_wrong_no_star_is_put(line: str) -> None:
    found = resolved(f"flow f {{\n{AROUND}{step('reader', line)}}}\n")[1]
    assert all(item.fix is None for item in found)
    assert len(found) == 1


def test_a_star_missing_is_told_with_the_loop() -> None:
    text = f"flow f {{\n{AROUND}{step('report', 'in aucs = check.auc')}}}\n"
    (found,) = resolved(text)[1]
    assert found.message == "`check` runs once per `region`, so `check.auc` is not one float here"
    assert found.label == "used outside the loop"
    assert [(text[slice(*label.span)], label.text) for label in found.related] == [
        ("foreach", "`check` runs for each item of this list")
    ]
    assert found.help == ("collect the values: `check[*].auc` is list[float]",)


def test_where_a_star_is_there_another_one_is_missing() -> None:
    text = f"flow f {{\n{AROUND}{step('report', 'in rows = count[*].rows')}}}\n"
    (found,) = resolved(text)[1]
    assert found.message == "`count[*].rows` collects over `region` alone, and needs another star, for `day`"
    assert found.help == ("collect the values: `count[*][*].rows` is list[list[int]]",)


def test_loop_variables_are_seen_inside_their_loop_only() -> None:
    model = model_of(
        "param names: list[string]\n"
        f"foreach a in names {{ foreach b in [1, 2] {{ {step('s', 'in a in b in c = a')} }} }}"
    )
    read = [item.value for item in model.step("s").inputs]
    assert [(item.name, str(item.type)) for item in read if isinstance(item, ItemRef)] == [
        ("a", "string"),
        ("b", "int"),
        ("a", "string"),
    ]
    assert faults(f"foreach a in [1] {{ {step('s')} }} {step('t', 'in a')} {step('u', 'in b = a')}") == [
        ("F0220", "a"),
        ("F0220", "a"),
    ]


def test_a_loop_over_what_another_loop_has_made() -> None:
    model = model_of(
        f"foreach a in [1] {{ {step('s', outputs='l: list[string]')} }}\n"
        f"foreach b in s[*].l {{ foreach c in b {{ {step('t', 'in b in c')} }} }}"
    )
    assert [str(item.type) for item in model.step("t").inputs] == ["list[string]", "string"]


@pytest.mark.parametrize(
    ("expression", "type_"),
    [
        ("either(plain.i, 0)", "int"),
        ("either(plain.i, 0.5)", "float"),
        ("either(plain.l, [])", "list[int]"),
        ("either([], plain.l)", "list[int]"),
        ("either(plain.l, [rate])", "list[float]"),
        ("either(plain.js, {a = 1})", "json"),
        ("either(plain.js, [1])", "json"),
        ("either(yes.v, no.v)[*]", "list[int]"),
        ("either(yes.v, n)[*]", "list[int]"),
        ("[plain.i, rate]", "list[float]"),
        ("[[plain.i], []]", "list[list[int]]"),
        ("[[], [1.5], [2]]", "list[list[float]]"),
        ("[{a = 1}, {b = 2}]", "list[json]"),
        ("{a = plain.i, b = [1, word, {}], c = check[*].auc}", "json"),
        ('"${n} of ${plain.s} ${turn.k}"', "string"),
        ("n > 1 and not loud or plain.s == word", "bool"),
        ("n == rate", "bool"),
        ("loud != (n >= 2)", "bool"),
        ("config", "json"),
    ],
)
def test_the_type_of_an_expression(expression: str, type_: str) -> None:
    assert type_of(expression) == type_


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("either(plain.i, word)", ["F0324"]),
        ("either(plain.js, n)", ["F0324"]),
        ("either(check[*].auc, 0)", ["F0324"]),
        ("[plain.i, word]", ["F0307"]),
        ("[]", ["F0308"]),
        ("[[], []]", ["F0308"]),
        ("either([], [])", ["F0308"]),
        ("{a = plain.path}", ["F0317"]),
        ("{a = [check[*].path]}", ["F0317"]),
        ('"${plain.path}"', ["F0319"]),
        ('"${names}"', ["F0319"]),
        ('"${config}"', ["F0319"]),
        ("n == word", ["F0323"]),
        ("loud == 1", ["F0323"]),
        ("word < word", ["F0327"]),
        ("n < loud", ["F0327"]),
        ("names == names", ["F0328"]),
        ("plain.path == word", ["F0328"]),
        ("n and loud", ["F0320"]),
        ("not word", ["F0320"]),
        ("30s", ["F0309"]),
        ("config.rate", ["F0218"]),
        ("n.x", ["F0218"]),
        ("plain", ["F0210"]),
        ("check[*]", ["F0210"]),
        ("nobody", ["F0201"]),
        ("nobody.x", ["F0202"]),
        ("plain.nothing", ["F0203"]),
        ("run.id", ["F0217"]),
        ("run.status", ["F0225"]),
        ("run.other", ["F0215"]),
        ("out.x", ["F0217"]),
        ("either(check.auc, piece.size)[*]", ["F0227"]),
        ("previous(turn.k, 0)", ["F0221"]),
    ],
)
def test_an_expression_that_is_wrong(expression: str, found: list[str]) -> None:
    assert codes(expression) == found


@pytest.mark.parametrize(
    "expression",
    [
        "either(nobody.x, 1)",
        "either(nobody.x, 1)[*]",
        "either(nobody.x, [])",
        "[nobody.x, 1]",
        "{a = nobody.x}",
        "nobody.x == word",
        "nobody.x < 2 and loud",
        "not nobody.x",
        '"${nobody.x}"',
        "either(nobody.x, 1.5) < 2",
    ],
)
def test_what_is_unknown_is_told_once(expression: str) -> None:
    assert codes(expression) == ["F0202"]


def test_an_int_in_a_list_of_floats_is_a_float() -> None:
    read = value("[[], [1.5], [2]]")
    assert isinstance(read, Constant)
    assert repr(read.value) == "[[], [1.5], [2.0]]"


def test_literals_only_are_a_constant_and_lists_with_references_are_not() -> None:
    assert isinstance(value("{a = [1, {b = true}]}"), Constant)
    assert not isinstance(value("{a = [1, {b = n}]}"), Constant)
    assert not isinstance(value("[1, n]"), Constant)


# --- either and previous ----------------------------------------------------------------------------------------------


def test_either_with_a_star_is_read_inside_the_loop() -> None:
    read = value("either(yes.v, no.v, 0)[*]")
    assert isinstance(read, Gather)
    assert read.block == "region"
    assert isinstance(read.value, Either)
    assert [type(item) for item in read.value.args] == [OutputRef, OutputRef, Constant]


def test_either_with_a_star_sees_the_loop_variable() -> None:
    read = value('either("${yes.v}", region)[*]')
    assert isinstance(read, Gather)
    assert [item.name for item in walk(read) if isinstance(item, ItemRef)] == ["region"]


def test_either_in_a_loop_of_a_repeat_is_of_its_last_turn() -> None:
    assert blocks_through(value("either(piece.size, 0)[*]")) == ["LastTurn repeat.piece", "Gather part"]


def in_loop(line: str, extra: str = "") -> str:
    return (
        "param n: int = 1\n"
        + step("before", outputs="v: int")
        + f"repeat max 3 {{ {step('turn', line, 'k: int')} {step('other', outputs='v: int')} {extra} }}"
        + " until turn.k > 1"
    )


@pytest.mark.parametrize(
    ("line", "type_"),
    [
        ("in a = previous(turn.k, 0)", "int"),
        ("in a = previous(turn.k, 0.5)", "float"),
        ("in a = previous(other.v, n)", "int"),
        ("in a = previous(turn.k, before.v)", "int"),
        ("in a = previous([turn.k, other.v], [])", "list[int]"),
        ("in a = previous(turn.k > 2, false)", "bool"),
        ("in a = previous(previous(turn.k, 0), 1)", "int"),
        ("in a = previous(either(turn.k, n), 1)", "int"),
    ],
)
def test_previous_reads_the_turn_before(line: str, type_: str) -> None:
    read = model_of(in_loop(line)).step("turn").inputs[0].value
    assert isinstance(read, Previous)
    assert (read.block, str(read.type)) == ("repeat.other", type_)


def test_previous_is_of_the_innermost_loop_that_has_the_step() -> None:
    model = model_of(
        f"repeat max 2 {{ {step('outer', outputs='v: int')}\n"
        f"repeat max 3 {{ {step('inner', 'in a = previous(inner.v, outer.v) in b = previous(outer.v, 0)', 'v: int')} }}"
        " until inner.v > previous(inner.v, 0) } until true"
    )
    one, two = (item.value for item in model.step("inner").inputs)
    assert isinstance(one, Previous)
    assert isinstance(two, Previous)
    assert (one.block, two.block) == ("repeat.inner", "repeat2.inner")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("in a = previous(before.v, 0)", ("F0222", "before.v")),
        ("in a = previous(n, 0)", ("F0222", "n")),
        ("in a = previous(turn.k, other.v)", ("F0223", "other.v")),
        ('in a = previous(turn.k, "x")', ("F0325", '"x"')),
        ("in a = previous(turn.nothing, 0)", ("F0203", "nothing")),
        ("in a = previous(nobody.v, 0)", ("F0202", "nobody")),
    ],
)
def test_previous_of_something_else(line: str, found: tuple[str, str]) -> None:
    assert faults(in_loop(line)) == [found]


def test_previous_reads_outside_of_an_inner_foreach() -> None:
    inner = "foreach p in [1] {{ {} }}"
    assert faults(in_loop("", inner.format(step("q", "in a = previous(q.v, 0)", "v: int")))) == [("F0312", "q.v")]
    assert faults(in_loop("", inner.format(step("q", "in a = previous(q[*].v, [])", "v: int")))) == []
    assert faults(in_loop("", inner.format(step("q", "in a = previous(q[*].v, [p])", "v: int")))) == [("F0220", "p")]


# --- regions ----------------------------------------------------------------------------------------------------------


def test_blocks_hold_their_nodes() -> None:
    model = model_of(AROUND)
    region = model.node("region")
    assert isinstance(region, FanOut)
    assert [node.name for node in region.region.nodes] == ["check", "cluster", "day", "if.no"]
    branch = model.node("if.no")
    assert isinstance(branch, Branch)
    assert branch.total
    assert [(arm.region.name, [node.name for node in arm.region.nodes]) for arm in branch.arms] == [
        ("if.no/0", ["yes"]),
        ("if.no/1", ["no"]),
    ]
    loop = model.node("repeat.piece")
    assert isinstance(loop, Loop)
    assert (loop.limit, [place.block.name for place in model.chain("piece")]) == (3, ["repeat.piece", "part"])


def test_names_of_blocks_are_of_the_first_step_inside_by_the_alphabet() -> None:
    model = model_of(
        f"if true {{ {step('z')} if true {{ {step('m')} repeat max 2 {{ if true {{ {step('b')} }} }} until true }}"
        f" else {{ {step('c')} }} }} else {{ foreach a in [1] {{ {step('y')} }} }}\n"
        f"repeat max 1 {{ repeat max 2 {{ {step('d')} }} until true }} until true"
    )
    blocks = [node.name for node in model.nodes if isinstance(node, (Branch, Loop))]
    assert blocks == ["if3.b", "if2.b", "repeat.b", "if.b", "repeat2.d", "repeat.d"]


def test_finally_is_a_region_of_its_own() -> None:
    model = model_of(
        step("fit", outputs="loss: float")
        + f"finally {{ {step('one', 'in s = run.status in f = run.failed_step', 'v: int')}"
        + f"{step('two', 'in v = one.v')} }}"
    )
    assert [node.name for node in model.finals.nodes] == ["one", "two"]
    assert [item.value.name for item in model.step("one").inputs if isinstance(item.value, RunValue)] == [
        "status",
        "failed_step",
    ]
    assert isinstance(model.step("two").inputs[0].value, OutputRef)


def test_nothing_waits_for_finally() -> None:
    inside = f"finally {{ {step('last', outputs='v: int')} }} {step('a', 'in v = last.v after last')}"
    assert faults(inside) == [("F0224", "last.v"), ("F0224", "last")]


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        ("foreach a in [1] { }", "foreach a in [1]"),
        ("repeat max 2 { } until true", "repeat max 2"),
        ("if true { }", "if true"),
        ("if true { foreach a in [1] { } }", "foreach a in [1]"),
        (f"if true {{ {step('s')} }} else {{ }}", "else"),
        (f"if true {{ }} else {{ {step('s')} }}", "if true"),
        (f"if true {{ {step('s')} }} else if false {{ }}", "else if false"),
        (f"{step('s')} finally {{ }}", "finally"),
    ],
)
def test_a_block_holds_a_step(inside: str, found: str) -> None:
    assert faults(inside) == [("F0228", found)]


def test_bounds() -> None:
    foreach, repeat = "foreach a in [1] max {} {{ {} }}", "repeat max {} {{ {} }} until true"
    for block in (foreach, repeat):
        assert faults(block.format(1, step("s"))) == faults(block.format(10_000, step("s"))) == []
        assert faults(block.format(0, step("s"))) == [("F0326", "0")]
        assert faults(block.format(10_001, step("s"))) == [("F0326", "10001")]


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        (f"foreach a in 3 {{ {step('s')} }}", ("F0321", "3")),
        (f"foreach a in plain.js {{ {step('s')} }}", ("F0321", "plain.js")),
        (f"foreach a in plain.path {{ {step('s', 'in a')} }}", ("F0321", "plain.path")),
        (f"if n {{ {step('s')} }}", ("F0320", "n")),
        (f"repeat max 2 {{ {step('s')} }} until plain.s", ("F0320", "plain.s")),
        (step("s", head="parallel(rate)"), ("F0322", "rate")),
        (step("s", head="parallel(names)"), ("F0322", "names")),
        (step("s", head='parallel("3")'), ("F0506", '"3"')),
        (step("s", head="parallel(0)"), ("F0506", "0")),
    ],
)
def test_what_a_block_and_a_gang_ask_for(inside: str, found: tuple[str, str]) -> None:
    assert faults(AROUND + inside) == [found]


def test_a_gang_may_be_as_large_as_a_value_says() -> None:
    model = model_of(
        AROUND
        + step("one", head="parallel(n)")
        + f"foreach size in [1, 2] {{ {step('two', head='parallel(size)')} {step('three', head='parallel(plain.i)')} }}"
    )
    gangs = [model.step(name).gang for name in ("one", "two", "three")]
    assert [type(gang.nodes) for gang in gangs if gang is not None] == [ParamRef, ItemRef, OutputRef]


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inside",
    [
        f"param a: int = 1 {step('a')}",
        f"{step('a')} param a: int = 1",
        f"foreach a in [1] {{ {step('a')} }}",
        f"foreach a in [1] {{ {step('s', 'in a')} }} foreach a in [1] {{ {step('t', 'in a')} }}",
        f"foreach a in [1] {{ foreach a in [2] {{ {step('s', 'in a')} }} }}",
        f"param a: list[int] = [1] foreach a in a {{ {step('s', 'in a')} }}",
        f'secret a {{ argo = "k/v" }} {step("a")}',
        f"{step('a', outputs='x: int')} {step('a', outputs='y: int')} {step('b', 'in x = a.x in y = a.y')}",
        f"{step('a', outputs='x: int')} if true {{ {step('a', outputs='x: int')} }} {step('b', 'in x = a[*].x')}",
        f"{step('a')} finally {{ {step('a')} }}",
        f'param a: int = 1 param a: string = "x" {step("s", "in a in b = a == 1")}',
    ],
)
def test_one_name_for_one_thing(inside: str) -> None:
    assert faults(inside) == [("F0204", "a")]


@pytest.mark.parametrize(
    ("inside", "arms"),
    [
        (f"if true {{ {step('a')} }} else {{ {step('a')} }}", True),
        (
            f"if true {{ {step('b')} }} else if true {{ {step('a')} }} else {{ foreach i in [1] {{ {step('a')} }} }}",
            True,
        ),
        (f"if true {{ {step('a')} {step('a')} }}", False),
        (f"if true {{ {step('a')} }} if true {{ {step('a')} }}", False),
        (f"{step('a')} if true {{ {step('a')} }}", False),
    ],
)
def test_of_two_steps_in_two_arms_one_is_read_by_either(inside: str, arms: bool) -> None:
    (found,) = resolved(f"flow f {{\n{inside}\n}}\n")[1]
    assert found.code == "F0204"
    assert ("`either(a.output, b.output)`" in found.help[0]) == arms


def test_nodes_have_different_names_whatever_is_wrong() -> None:
    text = (
        f"flow f {{ foreach a in [1] {{ {step('a')} foreach a in [1] {{ {step('a')} {step('b')} }} }}\n"
        f"if true {{ {step('b')} }} if true {{ {step('b')} }} }}"
    )
    model, _ = resolved(text)
    names = [node.name for node in model.nodes]
    assert len(names) == len(set(names)) == 6


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        (f"param a: int = 1 {step('s', 'in a = 2')}", [("F0208", "a")]),
        (f"param a: int = 1 {step('s', 'in a = a')}", []),
        (f"foreach a in [1] {{ {step('s', 'in a = 2')} }}", [("F0208", "a")]),
        (f"foreach a in [1] {{ {step('s')} }} {step('t', 'in a = 2')}", []),
        (f"{step('a', outputs='x: int')} {step('s', 'in a = a.x')}", []),
        (step("s", "in a = 1 in a = 2"), [("F0205", "a")]),
        (step("s", 'env A = "1" env A = "2"'), [("F0205", "A")]),
        (step("s", outputs="a: int, a: int"), [("F0205", "a")]),
        (f"{step('a')} {step('s', 'after a, a')}", [("F0205", "a")]),
        (f"param a: int = 1 {step('s', 'after a')}", [("F0231", "a")]),
        (f"foreach a in [1] {{ {step('s')} }} {step('t', 'after a')}", [("F0231", "a")]),
        (step("s", "after nobody"), [("F0202", "nobody")]),
        (step("s", "in a = 1 in b = a"), [("F0230", "a")]),
        (step("s", "in a = 1", head="parallel(a)"), [("F0230", "a")]),
        (step("s", "in a"), [("F0211", "a")]),
        (f"{step('a')} {step('s', 'in a')}", [("F0210", "a")]),
    ],
)
def test_names_in_a_step(inside: str, found: list[tuple[str, str]]) -> None:
    assert faults(inside) == found


def test_suggestions_are_what_can_be_seen_there() -> None:
    inside = (
        "param regions: list[string] = []\n"
        f"foreach region in regions {{ {step('a', 'in regio')} }} {step('b', 'in regio')}"
    )
    helps = [item.help for item in resolved(f"flow f {{ {inside} }}")[1]]
    assert helps == [("did you mean `region`?",), ("did you mean `regions`?",)]


def test_a_flow_runs_something() -> None:
    assert faults("timeout = 2h") == [("F0219", "f")]
    assert faults(f"finally {{ {step('a')} }}") == [("F0219", "f")]


# --- bodies and environments ------------------------------------------------------------------------------------------


def operands(lines: str, flow: str = "") -> tuple[list[object], list[tuple[str, object]]]:
    """The command's arguments and the variables of a step with all kinds of inputs."""
    model = model_of(
        'param n: int = 1 param l: list[string] = [] param j: json = 1 secret token { argo = "a/b" }\n'
        f'{flow} step z {{ out path: file run ["z", out.path] }}\n'
        f"step s {{ in n in l in j in path = z.path out o: int {lines} }}"
    )
    done = model.step("s")
    assert done.body is not None
    items = getattr(done.body, "items", ())
    return list(items), [(item.name, item.value) for item in done.env]


def test_a_command_takes_inputs_outputs_literals_and_strings_of_them() -> None:
    items, _ = operands('run ["x", n, l, j, path, out.o, run.id, 1, 1.5, true, "a${n}b${path}${out.o}${run.id}"]')
    assert [type(item) for item in items] == [
        Constant,
        *[InputRef] * 4,
        OutputPath,
        RunValue,
        *[Constant] * 3,
        Format,
    ]
    last = items[-1]
    assert isinstance(last, Format)
    assert [type(part) for part in last.parts] == [Constant, InputRef, Constant, InputRef, OutputPath, RunValue]


def test_variables_take_secrets_too() -> None:
    _, env = operands('env A = n env B = secret.token env C = "${path}" env D = out.o env E = 3 run ["x"]')
    assert [(name, type(item)) for name, item in env] == [
        ("A", InputRef),
        ("B", SecretRef),
        ("C", Format),
        ("D", OutputPath),
        ("E", Constant),
    ]


def test_a_step_wins_over_defaults_by_name() -> None:
    _, env = operands('env B = n run ["x"]', 'defaults { env A = "1" env B = 2 env C = secret.token }')
    assert [(name, type(item)) for name, item in env] == [("A", Constant), ("C", SecretRef), ("B", InputRef)]


def test_variables_say_where_they_come_from() -> None:
    model = model_of(f'defaults {{ env A = "1"  env B = 2 }} {step("s", "env B = 3")}')
    origins = [(item.name, item.value, item.origin) for item in model.step("s").origins if "env." in item.name]
    assert origins == [("env.A", '"1"', "defaults"), ("env.B", "3", "step")]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ('run ["x", nobody]', [("F0207", "nobody")]),
        ('run ["x", word]', [("F0207", "word")]),
        ('run ["x", plain.i]', [("F0216", "plain.i")]),
        ('run ["x", check[*].auc]', [("F0216", "check[*].auc")]),
        ('run ["x", reader.o, out.o]', [("F0232", "reader.o")]),
        ('run ["x", out.p]', [("F0209", "out.p")]),
        ('run ["x", n.a]', [("F0218", "a")]),
        ('run ["x", n[*]]', [("F0314", "[*]")]),
        ('run ["x", run.status]', [("F0225", "run.status")]),
        ('run ["x", run.other]', [("F0215", "other")]),
        ('run ["x", [1]]', [("F0310", "[1]")]),
        ('run ["x", { a = 1 }]', [("F0310", "{ a = 1 }")]),
        ('run ["x", either(n, 1)]', [("F0316", "either(n, 1)")]),
        ('run ["x", n > 1]', [("F0316", "n > 1")]),
        ('run ["x", 30s]', [("F0309", "30s")]),
        ('run ["x", "${names}"]', [("F0319", "names")]),
        ('run ["x", "${config}"]', [("F0319", "config")]),
        ('env A = names run ["x"]', [("F0311", "names")]),
        ('env A = config run ["x"]', [("F0311", "config")]),
        ('env A = [1] run ["x"]', [("F0311", "[1]")]),
        ('env A = { a = 1 } run ["x"]', [("F0311", "{ a = 1 }")]),
        ('env A = previous(n, 1) run ["x"]', [("F0316", "previous(n, 1)")]),
    ],
)
def test_what_a_body_cannot_take(lines: str, found: list[tuple[str, str]]) -> None:
    assert faults(AROUND + f"step reader {{ in n in names in config out o: int {lines} }}") == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("in a = secret.token", [("F0315", "secret.token")]),
        ("in a = token", [("F0315", "token")]),
        ("in token", [("F0315", "token")]),
        ("env A = secret.tokn", [("F0226", "tokn")]),
        ("env A = token", [("F0207", "token")]),
        ("in a = secret.token == secret.token", [("F0315", "secret.token")] * 2),
    ],
)
def test_a_secret_fits_env_alone(line: str, found: list[tuple[str, str]]) -> None:
    assert faults(f'secret token {{ argo = "a/b" }} {step("s", line)}') == found
    argv = 'step s { run ["x", secret.token] }'
    assert faults(f'secret token {{ argo = "a/b" }} {argv}') == [("F0315", "secret.token")]


@pytest.mark.parametrize(
    ("value_", "found"),
    [
        ('"${n}"', [("F0409", '"${n}"')]),
        ("n", [("F0409", "n")]),
        ("either(1, 2)", [("F0409", "either(1, 2)")]),
        ("secret.nobody", [("F0226", "nobody")]),
        ("[1]", [("F0311", "[1]")]),
        ("{}", [("F0311", "{}")]),
        ('"plain \\${n}"', []),
        ("3", []),
    ],
)
def test_defaults_set_variables_to_literals_and_secrets(value_: str, found: list[tuple[str, str]]) -> None:
    assert faults(f"param n: int = 1 defaults {{ env A = {value_} }} {step('s', 'in n')}") == found


def test_pickles_go_between_python_and_python() -> None:
    good = "step a { out m: pickle call \"a.py:f\" } step b { in m = a.m run python ''' pass ''' }"
    assert faults(good) == []
    assert faults(good + step("c", "in m = a.m")) == [("F0318", "m")]
    assert faults(good + "step c { in m = a.m env M = m run bash ''' echo \"$M\" ''' }") == [("F0318", "m")]
    assert faults(step("a", outputs="m: pickle")) == [("F0318", "m")]
    gathered = 'foreach q in [1] { step a { in q out m: pickle call "a.py:f" } }\n'
    assert faults(gathered + step("c", "in m = a[*].m")) == [("F0318", "m")]
    assert faults(gathered + 'step c { in m = a[*].m call "a.py:f" }') == []


# --- types and defaults of parameters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "default", "known"),
    [
        ("int", "3", 3),
        ("float", "3", 3.0),
        ("bool", "false", False),
        ("list[float]", "[1, 2]", [1.0, 2.0]),
        ("list[string]", "[]", []),
        ("list[list[float]]", "[[1], [], [2.5]]", [[1.0], [], [2.5]]),
        ("json", '{ a = 1, "b c" = [true, "x", {}], d = [] }', {"a": 1, "b c": [True, "x", {}], "d": []}),
        ("json", "1.5", 1.5),
        ("json", "[]", []),
        ("list[json]", '[1, "a", { b = [] }]', [1, "a", {"b": []}]),
    ],
)
def test_the_default_of_a_parameter(type_: str, default: str, known: object) -> None:
    (param,) = model_of(f"param p: {type_} = {default} {step('s', 'in p')}").params
    assert (str(param.type), param.default, repr(param.default)) == (type_, known, repr(known))


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("list[int] = [n]", [("F0411", "n")]),
        ("json = { a = [n] }", [("F0411", "n")]),
        ('string = "${n}"', [("F0411", '"${n}"')]),
        ("int = either(1, 2)", [("F0411", "either(1, 2)")]),
        ('list[list[int]] = [["a"]]', [("F0306", '[["a"]]')]),
        ("int = { a = 1 }", [("F0306", "{ a = 1 }")]),
        ("json = 30s", [("F0309", "30s")]),
        ('list[string] = ["a", 1]', [("F0307", "1")]),
        ("file", [("F0302", "file")]),
        ("pickle", [("F0302", "pickle")]),
        ("list[file]", [("F0305", "file")]),
        ("list[pickle]", [("F0305", "pickle")]),
        ("list", [("F0303", "list")]),
        ("json[int]", [("F0304", "json[int]")]),
        ("str", [("F0301", "str")]),
        ("list[list[strng]]", [("F0301", "strng")]),
        ("Array[Sequence[str]]", [("F0301", "Array[Sequence[str]]")]),
    ],
)
def test_a_parameter_that_is_wrong(declared: str, found: list[tuple[str, str]]) -> None:
    assert faults(f"param n: int = 1 param p: {declared} {step('s', 'in n in p')}") == found


# --- always a model, always in time -----------------------------------------------------------------------------------


def test_what_could_not_be_resolved_stands_as_such() -> None:
    model, found = resolved(f"flow f {{ {step('s', 'in a = nobody.x in b = [nobody.y]')} }}")
    assert [item.code for item in found] == ["F0202", "F0202"]
    one, two = model.step("s").inputs
    assert isinstance(one.value, Unresolved)
    assert [type(part) for part in parts(two.value)] == [Unresolved]


def test_loops_over_each_other_end() -> None:
    """Lists of loops that hold each other's variables: a cycle for `check`, and no end for whoever follows it."""
    model, _ = resolved(
        f"flow f {{ foreach a in either(q.v, b)[*] {{ {step('p', outputs='v: int')} }}\n"
        f"foreach b in either(p.v, a)[*] {{ {step('q', outputs='v: int')} }} }}"
    )
    assert {(edge.source, edge.target) for edge in model.edges} == {("a", "b"), ("b", "a")}


def test_a_long_row_of_loops_that_look_ahead() -> None:
    rows = "".join(
        f"foreach v{i} in either(s{i + 1}.o, v{i + 1})[*] {{ {step(f's{i}', outputs='o: int')} }}\n" for i in range(500)
    )
    _, found = resolved(f"flow f {{ {rows} foreach v500 in [1] {{ {step('s500', outputs='o: int')} }} }}")
    assert {item.code for item in found} == {"F0118"}


def row(count: int, read: str = "s{before}.o") -> str:
    """A chain of steps, each of which reads the one before."""
    reads = [f"in a = {read.format(before=i - 1)}" if i else "" for i in range(count)]
    return f"flow f {{ {''.join(step(f's{i}', line, 'o: int') for i, line in enumerate(reads))} }}"


@pytest.mark.parametrize("read", ["s{before}.o", "t{before}.o"])
def test_time_grows_with_the_number_of_steps(read: str) -> None:
    """Also where every step is wrong and asks for a suggestion. The bound is hit by any work per pair of steps."""
    file, _ = parse(Source("t.flow", row(4000, read)))
    assert file is not None
    begin = process_time()
    model, found = resolve(file)
    assert process_time() - begin < 6
    assert len(model.steps) == 4000
    assert len(found) == (0 if read.startswith("s") else 3999)


def test_nothing_heavy_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, flowc.compiler.resolve; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"networkx", "rich", "difflib", "jsonschema"}.isdisjoint(done.stdout.split())


def test_the_same_text_gives_the_same_model() -> None:
    one, other = model_of(AROUND), model_of(AROUND)
    assert replace(one, source=other.source) == other
