"""The tree of the whole language: every construct, its parts, its documentation and the place of each part."""

from __future__ import annotations

import dataclasses
import re
import sys
from typing import Any

import pytest

from flowc.dsl import ast, tables
from flowc.dsl.format import format_source
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source, Span


def file_of(text: str) -> ast.File:
    file, diagnostics = parse(Source("test.flow", text))
    assert diagnostics == ()
    assert file is not None
    assert not file.damaged
    return file


def nodes_of(lines: str) -> tuple[ast.Node, ...]:
    return file_of(f"flow f {{\n{lines}\n}}\n").flow.nodes


def value_of(text: str) -> tuple[ast.Expr, str]:
    """An input's value, and the text in which its places are."""
    whole = f"flow f {{ step s {{ in x = {text} }} }}"
    (step,) = file_of(whole).flow.nodes
    assert isinstance(step, ast.Step)
    (item,) = step.inputs
    assert item.value is not None
    return item.value, whole


def shown(value: Any) -> Any:
    """A node without places, as `(class, fields…)`; names and bare literals as what they say."""
    if isinstance(value, ast.Name):
        return value.text
    if isinstance(value, Span):
        return "*"
    if isinstance(value, tuple):
        return tuple(map(shown, value))
    if dataclasses.is_dataclass(value):
        names = [item.name for item in dataclasses.fields(value) if item.name not in ("span", "keyword", "sign_span")]
        return (type(value).__name__, *(shown(getattr(value, name)) for name in names))
    return value


A, B, C = (("Ref", name, None, ()) for name in "abc")


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", A),
        ("a.b", ("Ref", "a", "b", ())),
        ("a[*].b", ("Ref", "a", "b", ("*",))),
        ("a[*] [ * ].b", ("Ref", "a", "b", ("*", "*"))),
        ("a[*]", ("Ref", "a", None, ("*",))),
        ("out.x", ("OwnRef", "out", "x")),
        ("run.id", ("OwnRef", "run", "id")),
        ("secret.hub", ("OwnRef", "secret", "hub")),
        ("(a)", A),
        ("((a))", A),
        ("[]", ("List", ())),
        ("[a, [1],]", ("List", (A, ("List", (("Int", 1),))))),
        ("{}", ("Object", ())),
        ("{ a = 1, b = b, }", ("Object", (("Member", "a", ("Int", 1)), ("Member", "b", B)))),
        ('{ a = 1 "a-b" = {} }', ("Object", (("Member", "a", ("Int", 1)), ("Member", "a-b", ("Object", ()))))),
        (r'{ "\"\n" = true }', ("Object", (("Member", '"\n', ("Bool", True)),))),
        ("either(a)", ("Either", (A,), ())),
        ("either(a, b, 3)[*][*]", ("Either", (A, B, ("Int", 3)), ("*", "*"))),
        ("previous(a.b, c)", ("Previous", ("Ref", "a", "b", ()), C)),
        ("not a", ("Not", A)),
        ("not not a", ("Not", ("Not", A))),
        ("a < 2.0", ("Compare", "<", A, ("Float", 2.0))),
        ("not a == b", ("Not", ("Compare", "==", A, B))),
        ("a and b", ("Logic", "and", (A, B))),
        ("a and b and c", ("Logic", "and", (A, B, C))),
        ("a or b or c", ("Logic", "or", (A, B, C))),
        ("a and b or c", ("Logic", "or", (("Logic", "and", (A, B)), C))),
        ("a or b and c", ("Logic", "or", (A, ("Logic", "and", (B, C))))),
        ("a and not b or c", ("Logic", "or", (("Logic", "and", (A, ("Not", B))), C))),
        ("(a or b) or c", ("Logic", "or", (("Logic", "or", (A, B)), C))),
        ("a or (b or c)", ("Logic", "or", (A, ("Logic", "or", (B, C))))),
        ("(a or b) and c", ("Logic", "and", (("Logic", "or", (A, B)), C))),
        ("a == (b == c)", ("Compare", "==", A, ("Compare", "==", B, C))),
        ("either(a, b < c)", ("Either", (A, ("Compare", "<", B, C)), ())),
    ],
)
def test_expressions(text: str, tree: Any) -> None:
    assert shown(value_of(text)[0]) == tree


@pytest.mark.parametrize("sign", ["==", "!=", "<", "<=", ">", ">="])
def test_comparisons(sign: str) -> None:
    value, whole = value_of(f"a.b {sign}  3")
    assert isinstance(value, ast.Compare)
    assert value.sign == sign
    assert whole[slice(*value.sign_span)] == sign
    assert whole[slice(*value.left.span)] == "a.b"
    assert whole[slice(*value.right.span)] == "3"
    assert whole[slice(*value.span)] == f"a.b {sign}  3"


def test_the_places_of_expressions() -> None:
    value, whole = value_of("not (a or either( b ,c )[ * ]) and previous( d.e , [1 ] )")
    assert isinstance(value, ast.Logic)
    negation, previous = value.operands
    assert isinstance(negation, ast.Not)
    assert isinstance(negation.operand, ast.Logic)
    either = negation.operand.operands[1]
    assert isinstance(either, ast.Either)
    assert isinstance(previous, ast.Previous)

    def text(place: Span) -> str:
        return whole[slice(*place)]

    assert text(value.span) == "not (a or either( b ,c )[ * ]) and previous( d.e , [1 ] )"
    assert text(negation.span) == "not (a or either( b ,c )[ * ])"
    assert text(negation.operand.span) == "a or either( b ,c )[ * ]"
    assert text(either.span) == "either( b ,c )[ * ]"
    assert text(either.keyword) == "either"
    assert [text(star) for star in either.stars] == ["[ * ]"]
    assert text(previous.span) == "previous( d.e , [1 ] )"
    assert text(previous.keyword) == "previous"
    assert text(previous.first.span) == "[1 ]"


def test_the_places_of_members() -> None:
    value, whole = value_of('{ one = 1, "t\\two" = [2] }')
    assert isinstance(value, ast.Object)
    assert [whole[slice(*member.span)] for member in value.members] == ["one = 1", '"t\\two" = [2]']
    assert [whole[slice(*member.name.span)] for member in value.members] == ["one", '"t\\two"']


# --- strings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('""', ""),
        ('"$"', "$"),
        ('"$a"', "$a"),
        ('"$$ {a} }"', "$$ {a} }"),
        (r'"\${a}"', "${a}"),
        (r'"\$\{"'.replace(r"\{", "{"), "${"),
        (r'"\\\${a}"', r"\${a}"),
        (r'"\n\t\"\\\$"', '\n\t"\\$'),
        ('"é 漢"', "é 漢"),
    ],
)
def test_strings(text: str, value: str) -> None:
    assert shown(value_of(text)[0]) == ("String", value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('"${a}"', (A,)),
        ('"${a}${b}"', (A, B)),
        ('"x${a}y${b}z"', ("x", A, "y", B, "z")),
        ('"${a.b}"', (("Ref", "a", "b", ()),)),
        ('"${out.x} ${run.id}"', (("OwnRef", "out", "x"), " ", ("OwnRef", "run", "id"))),
        ('"$${a}$"', ("$", A, "$")),
        (r'"\${a}${a}\n"', ("${a}", A, "\n")),
        (r'"\\${a}"', ("\\", A)),
        ('"{${a}}"', ("{", A, "}")),
    ],
)
def test_references_in_strings(text: str, parts: Any) -> None:
    assert shown(value_of(text)[0]) == ("Template", parts)


def test_the_places_of_references_in_strings() -> None:
    value, whole = value_of(r'"漢\t\"${ab.cd}\\${out.x}\${no}${e}"')
    assert isinstance(value, ast.Template)
    references = [part for part in value.parts if not isinstance(part, str)]
    assert [whole[slice(*part.span)] for part in references] == ["ab.cd", "out.x", "e"]
    first, second, _ = references
    assert isinstance(first, ast.Ref)
    assert first.field
    assert isinstance(second, ast.OwnRef)
    assert [whole[slice(*name.span)] for name in (first.name, first.field, second.name)] == ["ab", "cd", "x"]


# --- nodes ------------------------------------------------------------------------------------------------------------

STEP = 'step %s { run ["x"] }'


def test_foreach() -> None:
    (node,) = nodes_of(f"## Doc.\nforeach item in a[*].b max 8 {{ {STEP % 'one'} {STEP % 'two'} }}")
    assert isinstance(node, ast.Foreach)
    assert node.doc == "Doc."
    assert shown(node)[2:5] == ("item", ("Ref", "a", "b", ("*",)), ("Int", 8))
    assert [inner.name.text for inner in node.nodes if isinstance(inner, ast.Step)] == ["one", "two"]


def test_foreach_without_a_limit() -> None:
    (node,) = nodes_of('foreach item in ["a"] {}')
    assert isinstance(node, ast.Foreach)
    assert (node.limit, node.nodes) == (None, ())


def test_if_and_its_arms() -> None:
    (node,) = nodes_of(f"## Doc.\nif a {{ {STEP % 'one'} }} else if b {{}} else if c {{ {STEP % 'two'} }} else {{}}")
    assert isinstance(node, ast.If)
    assert node.doc == "Doc."
    assert [shown(arm.condition) for arm in node.arms] == [A, B, C, None]
    assert [len(arm.nodes) for arm in node.arms] == [1, 0, 1, 0]


def test_an_else_belongs_to_the_if_before_it() -> None:
    outer, last = nodes_of("if a { if b {} else {} } if c {} else {}")
    assert isinstance(outer, ast.If)
    assert isinstance(last, ast.If)
    (inner,) = outer.arms[0].nodes
    assert isinstance(inner, ast.If)
    assert [len(node.arms) for node in (outer, inner, last)] == [1, 2, 2]


def test_repeat() -> None:
    (node,) = nodes_of(f"## Doc.\nrepeat max 3 {{ {STEP % 'one'} }} until one.x < 3 or a")
    assert isinstance(node, ast.Repeat)
    assert node.doc == "Doc."
    assert shown(node.limit) == ("Int", 3)
    assert shown(node.until) == ("Logic", "or", (("Compare", "<", ("Ref", "one", "x", ()), ("Int", 3)), A))
    assert len(node.nodes) == 1


def test_an_until_belongs_to_the_repeat_before_it() -> None:
    (outer,) = nodes_of("repeat max 3 { repeat max 2 {} until a } until b")
    assert isinstance(outer, ast.Repeat)
    (inner,) = outer.nodes
    assert isinstance(inner, ast.Repeat)
    assert (shown(outer.until), shown(inner.until)) == (B, A)


def test_the_heads_of_nodes() -> None:
    text = (
        "flow f {\nforeach item in [1] max 8 { }\nforeach other in a { }\n"
        "if a == b { } else if c { } else { }\nrepeat max 3 { } until a\nstep s parallel(n.m) { }\n}"
    )
    file = file_of(text)
    each, other, choice, loop, step = file.flow.nodes
    assert isinstance(choice, ast.If)
    assert isinstance(step, ast.Step)
    assert step.parallel is not None
    places = [each.span, other.span, *(arm.span for arm in choice.arms), loop.span, step.span, step.parallel.count.span]
    assert [text[slice(*place)] for place in places] == [
        "foreach item in [1] max 8",
        "foreach other in a",
        "if a == b",
        "else if c",
        "else",
        "repeat max 3",
        "step s parallel(n.m)",
        "n.m",
    ]


def test_a_step_with_everything() -> None:
    text = """flow f {
  step s parallel(n) {
    in  a
    in  b = c[*].d
    out each x: list[list[int]]
    out y: pickle
    after p, q
    env A = secret.a
    cpu = 3
    cache = true
    deepspeed { procs_per_node = 8 }
    ## Of node 0.
    main { gpu = 0 }
    ## Of one target.
    on argo { queue = "a" }
    on sfn { queue = "b" keep = 3d }
    call "a.py:b"
  }
}
"""
    (step,) = file_of(text).flow.nodes
    assert isinstance(step, ast.Step)
    assert [item.each is not None for item in step.outputs] == [True, False]
    assert step.outputs[0].each is not None
    assert text[slice(*step.outputs[0].each)] == "each"
    assert shown(step.outputs[0].type) == ("Type", "list", ("Type", "list", ("Type", "int", None)))
    assert shown(step.main) == (("Block", "Of node 0.", "main", (("Setting", "gpu", ("Int", 0)),)),)
    assert [block.name.text for block in step.on] == ["argo", "sfn"]
    assert step.on[0].doc == "Of one target."
    assert [text[slice(*block.span)] for block in step.on] == ["argo", "sfn"]
    assert [setting.name.text for setting in step.settings] == ["cpu", "cache"]
    assert shown(step.env) == (("Env", "A", ("OwnRef", "secret", "a")),)
    assert [name.text for name in step.after] == ["p", "q"]
    assert [name.text for name in (block.name for block in step.blocks)] == ["deepspeed"]


def test_the_lines_of_a_flow() -> None:
    text = """edition 1
flow f {
  ## Where the models are.
  secret hub { argo = "a/b"  sfn = "c:d" }
  secret empty {}
  schedule "30 2 * * 1-5"
  schedule "0 * * * *" in "Europe/Paris"
  schedule "${p} * * * *"
  timeout = 3h
  param p: json = { a = [1] }
  defaults { cpu = 2  env A = "b"  on argo { queue = "c" } }
  on sfn { queue = "d" }
  finally { step one {} step two {} }
  finally {}
}
"""
    file = file_of(text)
    flow = file.flow
    assert file.edition == tables.EDITION == 1
    assert shown(flow.secrets[0])[1:3] == ("Where the models are.", "hub")
    assert [len(secret.settings) for secret in flow.secrets] == [2, 0]
    assert shown(flow.schedules) == (
        ("Schedule", ("String", "30 2 * * 1-5"), None),
        ("Schedule", ("String", "0 * * * *"), ("String", "Europe/Paris")),
        ("Schedule", ("Template", (("Ref", "p", None, ()), " * * * *")), None),
    )
    assert [text[slice(*item.span)] for item in flow.schedules][1] == 'schedule "0 * * * *" in "Europe/Paris"'
    assert [name.text for name in (setting.name for setting in flow.settings)] == ["timeout"]
    (defaults,) = flow.defaults
    assert [len(part) for part in (defaults.settings, defaults.env, defaults.on)] == [1, 1, 1]
    assert [block.name.text for block in flow.on] == ["sfn"]
    assert [[step.name.text for step in final.steps] for final in flow.finals] == [["one", "two"], []]
    assert [text[slice(*final.span)] for final in flow.finals] == ["finally", "finally"]


def test_nodes_keep_their_order() -> None:
    nodes = nodes_of("step a {} if a {} step b {} foreach c in d {} repeat max 1 {} until e step f {}")
    assert [type(node).__name__ for node in nodes] == ["Step", "If", "Step", "Foreach", "Repeat", "Step"]


# --- depth and length -------------------------------------------------------------------------------------------------


def blocks(depth: int) -> str:
    """Blocks in blocks, of all kinds in turn."""
    opening = ("foreach x in a max 3 {", "if x {", "repeat max 3 {", "if x {} else if y {} else {")
    closing = ("}", "}", "} until b", "}")
    text = "".join(opening[level % 4] for level in range(depth))
    return f'flow f {{ {text} step s {{ run ["a"] }} ' + "".join(closing[n % 4] for n in reversed(range(depth))) + "}"


def deepest(node: ast.Node) -> int:
    inner: tuple[ast.Node, ...]
    match node:
        case ast.Step():
            return 0
        case ast.If():
            inner = node.arms[-1].nodes
        case _:
            inner = node.nodes
    return 1 + deepest(inner[0])


@pytest.fixture
def default_limit() -> None:
    assert sys.getrecursionlimit() == 1000


@pytest.mark.usefixtures("default_limit")
@pytest.mark.parametrize("depth", [1, 50, 62])
def test_blocks_in_blocks(depth: int) -> None:
    text = blocks(depth)
    (node,) = file_of(text).flow.nodes
    assert deepest(node) == depth
    formatted, _ = format_source(Source("a.flow", text))
    assert formatted is not None


NESTED = {
    "blocks": lambda depth: blocks(depth),
    "lists": lambda depth: f"flow f {{ param p: list = {'[' * depth}{']' * depth} }}",
    "objects": lambda depth: f"flow f {{ param p: json = {'{ a = ' * depth}1{' }' * depth} }}",
    "both": lambda depth: f"flow f {{ param p: json = {'[{ a = ' * depth}1{' }]' * depth} }}",
    "parentheses": lambda depth: f"flow f {{ if {'(' * depth}a{')' * depth} {{}} }}",
    "not": lambda depth: f"flow f {{ if {'not ' * depth}a {{}} }}",
    "either": lambda depth: f"flow f {{ if {'either(a, ' * depth}a{')' * depth} {{}} }}",
    "types": lambda depth: f"flow f {{ param p: {'list[' * depth}int{']' * depth} }}",
    "lists in blocks": lambda depth: blocks(60).replace('"a"', f"{'[' * depth}{']' * depth}"),
}


@pytest.mark.usefixtures("default_limit")
@pytest.mark.parametrize("kind", NESTED)
def test_too_deep_is_one_mistake(kind: str) -> None:
    for depth in (*range(1, 130), 5000):
        text = NESTED[kind](depth)
        file, diagnostics = parse(Source("a.flow", text))
        formatted, same = format_source(Source("a.flow", text))
        if diagnostics:
            assert [item.code for item in (*diagnostics, *same)] == ["F0118", "F0118"]
            break
        assert file is not None
        assert formatted is not None
    else:
        pytest.fail("never too deep")
    assert depth > 15


@pytest.mark.usefixtures("default_limit")
def test_a_chain_of_else_if_is_not_deep() -> None:
    text = "flow f {" + "".join(f"if a == {number} {{ step s{number} {{}} }} else " for number in range(2000)) + "{} }"
    (node,) = file_of(text).flow.nodes
    assert isinstance(node, ast.If)
    assert len(node.arms) == 2001
    formatted, _ = format_source(Source("a.flow", text))
    assert formatted is not None
    assert len(re.findall(r"^  (?:\} else )?if a == \d+ \{$", formatted, re.M)) == 2000


@pytest.mark.usefixtures("default_limit")
@pytest.mark.parametrize("word", ["and", "or"])
def test_a_long_condition_is_not_deep(word: str) -> None:
    value, whole = value_of(f" {word} ".join(["a"] * 5000))
    assert isinstance(value, ast.Logic)
    assert value.word == word
    assert len(value.operands) == 5000
    assert value.operands[-1].span.end == value.span.end < len(whole)
