"""The parser beyond what the samples show: places, documentation, scripts, numbers, and garbage."""

from __future__ import annotations

import random
import string
import time

import pytest

from flowc.dsl import ast
from flowc.dsl.parse import parse
from flowc.dsl.spans import Position, Source, Span


def flow_of(text: str) -> ast.Flow:
    file, diagnostics = parse(Source("test.flow", text))
    assert diagnostics == ()
    assert file is not None
    return file.flow


def default_of(text: str) -> ast.Expr:
    (param,) = flow_of(f"flow f {{ param p: int = {text} }}").params
    assert param.default is not None
    return param.default


def step_of(text: str) -> ast.Step:
    (step,) = flow_of(text).nodes
    assert isinstance(step, ast.Step)
    return step


def script_of(raw: str) -> str:
    (body,) = step_of(f"flow f {{ step s {{ run bash {raw} }} }}").bodies
    assert isinstance(body, ast.Script)
    return body.text


def codes_of(text: str) -> list[str]:
    return [item.code for item in parse(Source("test.flow", text))[1]]


# --- places -----------------------------------------------------------------------------------------------------------


def test_places_count_code_points_and_lines() -> None:
    source = Source("x", "a\n漢字 b\r\n\tc")
    assert source.position(source.text.index("b")) == Position(2, 4)
    assert source.position(source.text.index("c")) == Position(3, 2)
    assert source.position(len(source.text)) == Position(3, 3)
    assert source.line_text(2) == "漢字 b"
    assert source.line_count == 3


def test_a_step_has_the_place_of_its_head() -> None:
    text = "flow f {\n  step train parallel(2) {\n    run []\n  }\n}"
    step = step_of(text)
    assert text[slice(*step.span)] == "step train parallel(2)"
    assert text[slice(*step.name.span)] == "train"
    assert text[slice(*step.bodies[0].span)] == "run []"


# --- documentation ----------------------------------------------------------------------------------------------------


def test_documentation_stands_directly_above() -> None:
    flow = flow_of(
        """
## Far away.

## Of the
##   flow.
flow f {
  # An ordinary comment.
  ## Of the parameter.
  param p: int
  ### A line to look at.
  param q: int

  ## Of the step.
  step s {
    ## Of the output.
    out x: int
    run bash '''
      ## Of nothing. '''
    in p
  }
}
"""
    )
    assert flow.doc == "Of the\n  flow."
    assert [param.doc for param in flow.params] == ["Of the parameter.", ""]
    (step,) = flow.nodes
    assert isinstance(step, ast.Step)
    assert step.doc == "Of the step."
    assert step.outputs[0].doc == "Of the output."
    assert step.inputs[0].doc == ""


# --- scripts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("''''''", ""),
        ("''' one '''", "one"),
        ("'''\n  a\n    b\n\n  c\n'''", "a\n  b\n\nc\n"),
        ("'''\n  a\n  '''", "a\n"),
        ("'''\n\ta\n\t\tb\n'''", "a\n\tb\n"),
        ("'''\n\ta\n    b\n'''", "\ta\n    b\n"),
        ("'''first\n    second\n  third'''", "first\n  second\nthird"),
        ("'''\n  a\n   \n  b\n'''", "a\n\nb\n"),
        ("'''\n  a''''", "a'"),
        ("'''it''s'''''", "it''s''"),
        ("'''\r\n  a\r\n  b\r\n'''", "a\nb\n"),
        ("'''\n  a \\n $b ${c} {{d}} \"e\" # f\n'''", 'a \\n $b ${c} {{d}} "e" # f\n'),
    ],
)
def test_a_script_loses_its_common_indent_and_nothing_else(raw: str, text: str) -> None:
    assert script_of(raw) == text


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", ast.Int(0, Span(0, 0))),
        ("-7", ast.Int(-7, Span(0, 0))),
        ("9223372036854775807", ast.Int(2**63 - 1, Span(0, 0))),
        ("-9223372036854775808", ast.Int(-(2**63), Span(0, 0))),
        ("1.5", ast.Float(1.5, Span(0, 0))),
        ("-1e-5", ast.Float(-1e-5, Span(0, 0))),
        ("2E+3", ast.Float(2000.0, Span(0, 0))),
        ("3KiB", ast.Size(3 << 10, Span(0, 0))),
        ("2TiB", ast.Size(2 << 40, Span(0, 0))),
        ("90s", ast.Duration(90, Span(0, 0))),
        ("1d", ast.Duration(86400, Span(0, 0))),
    ],
)
def test_numbers(text: str, value: ast.Expr) -> None:
    found = default_of(text)
    assert (type(found), str(found).partition(", span")[0]) == (type(value), str(value).partition(", span")[0])


@pytest.mark.parametrize("text", ["1e5s", "0x10", "1..2", "1.2.3", "--1", "1e", "5Gib_", "1" * 500, "1_0.5", "12e3GiB"])
def test_what_only_begins_like_a_number_is_one_mistake(text: str) -> None:
    assert len(codes_of(f'flow f {{\n param p: int = {text}\n step s {{ run ["a"] }} }}')) == 1


# --- recovery ---------------------------------------------------------------------------------------------------------


def test_every_line_with_a_mistake_is_reported_once() -> None:
    text = """flow f {
  param a int
  param b: = 3
  step one {
    in x y
    out
    run ["a", , "b"]
    call
    after
    env = 3
  }
  step {
    run ["true"]
  }
  step two
    run ["true"]
  }
}
"""
    source = Source("test.flow", text)
    _, diagnostics = parse(source)
    lines = [source.position(item.span.start).line for item in diagnostics if item.span]
    assert lines == [2, 3, 5, 7, 7, 9, 10, 12, 16]


def test_a_file_may_end_anywhere() -> None:
    text = (
        'flow f {\n  param a: int = 3\n  step s parallel(2) { in x = a.b run ["a", out.x] torchrun { port = 3 } }\n}\n'
    )
    for end in range(len(text)):
        _, diagnostics = parse(Source("test.flow", text[:end]))
        assert bool(diagnostics) == (not text[:end].rstrip().endswith("}\n}"))
        assert len(diagnostics) <= 2


def test_windows_line_ends_mean_nothing() -> None:
    text = 'flow f {\r\n  param a: int\r\n\r\n  ## Doc.\r\n  step s {\r\n    run ["a"]\r\n  }\r\n}\r\n'
    flow = flow_of(text)
    (step,) = flow.nodes
    assert step.doc == "Doc."


def test_newlines_mean_nothing() -> None:
    text = 'flow f { param a: int = 3 step s { in a in b = a out c: list[int] cpu = 2 env D = a run ["x", a, b] } }'
    assert flow_of(text.replace(" ", "\n")).name.text == flow_of(text).name.text


# --- garbage ----------------------------------------------------------------------------------------------------------

_RANDOM = random.Random(7)
_MEGABYTE = 1_000_000
_TOKENS = ["flow", "step", "{", "}", "[", "]", "(", ")", "in", "out", "x", '"a"', "3", "=", ":", ",", ".", "*", "run"]
GARBAGE = {
    "printable": "".join(_RANDOM.choices(string.printable, k=_MEGABYTE)),
    "unicode": "".join(chr(_RANDOM.randrange(1, 0xD800)) for _ in range(_MEGABYTE // 3)),
    "tokens": " ".join(_RANDOM.choices(_TOKENS, k=_MEGABYTE // 3)),
    "in a flow": "flow f { step s { " + " ".join(_RANDOM.choices(_TOKENS[2:], k=_MEGABYTE // 3)),
    "brackets": "flow f { step s { run " + "[" * _MEGABYTE,
    "not": "flow f { step s { in x = " + "not " * (_MEGABYTE // 4),
    "else": "flow f { " + "if x {} else " * (_MEGABYTE // 13),
    "quotes": "flow f { step s { run bash " + "'" * _MEGABYTE,
    "backslashes": 'flow f { step s { image = "' + "\\" * _MEGABYTE,
    "one name": "flow f { step " + "a-" * (_MEGABYTE // 2),
    "one number": "flow f { param a: int = " + "1" * _MEGABYTE,
    "zeros": "\0" * _MEGABYTE,
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_megabyte_of_garbage_is_answered_soon(kind: str) -> None:
    source = Source("garbage.flow", GARBAGE[kind])
    start = time.process_time()
    _, diagnostics = parse(source)
    assert time.process_time() - start < 5
    assert 0 < len(diagnostics) <= 60
    for item in diagnostics:
        assert item.span is not None
        assert 0 <= item.span.start <= item.span.end <= len(source.text)
