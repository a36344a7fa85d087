"""What `{{=...}}` may say, and what it comes to."""

from __future__ import annotations

import base64
import hashlib

import pytest

from .errors import UnsupportedField
from .expressions import ExpressionError, MissingNameError, Value, evaluate, go_number, names, parse

ENVIRONMENT: dict[str, Value] = {
    "workflow.uid": "u-1",
    "workflow.parameters.n": "3",
    "workflow.parameters.my-param": 'a "b"',
    "inputs.parameters.lr": "1e-4",
    "node.name": "wf.train",
    "tasks.pick.outputs.parameters.branch": None,
    "retries": "2",
    "item": "7",
}


def value(text: str) -> Value:
    return evaluate(parse(text), ENVIRONMENT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workflow.uid", "u-1"),
        ("workflow['uid']", "u-1"),
        ("workflow.parameters['my-param']", 'a "b"'),
        ("toJson(workflow.parameters['my-param'])", '"a \\"b\\""'),
        ("toJson('<a&b>')", '"\\u003ca\\u0026b\\u003e"'),
        ("asInt(workflow.parameters.n)", 3),
        ("asInt(workflow.parameters.n) - 1", 2),
        ("asInt(workflow.parameters.n) - 1 - 1", 1),
        ("asFloat(inputs.parameters.lr)", 0.0001),
        ("string(asInt('4') + 1)", "5"),
        ("'a' + 'b' + retries", "ab2"),
        ("retries == '2' && item != '2'", True),
        ("false && asInt('x') == 1 || true", True),
        ("!(asInt(item) < 7)", True),
        ("asInt(item) > 7 ? 'big' : asInt(item) == 7 ? 'seven' : 'small'", "seven"),
        ("tasks.pick.outputs.parameters.branch ?? 'none'", "none"),
        ("workflow.uid ?? 'none'", "u-1"),
        ("tasks.pick.outputs.parameters.branch == nil", True),
        ("'it\\'s'", "it's"),
        ("-1 < 0", True),
        ("sprig.b64enc(workflow.parameters['my-param'])", base64.b64encode(b'a "b"').decode()),
        ("sprig.sha256sum(workflow.uid + '/' + node.name)", hashlib.sha256(b"u-1/wf.train").hexdigest()),
        ("sprig.trunc(3, 'abcdef')", "abc"),
        ("sprig.trunc(-2, 'abcdef')", "ef"),
    ],
)
def test_an_expression_has_a_value(text: str, expected: Value) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    ["asInt('1.5')", "asInt('')", "asFloat('x')", "'a' - 'b'", "'3' + 1", "asInt('3') == '3'", "!'x'", "'x' && true",
     "workflow.parameters", "sprig.trunc('1', 'x')", "toJson('a', 'b')", "nil + 1", "'x' ? 1 : 2"],
)  # fmt: skip
def test_an_evaluation_can_fail(text: str) -> None:
    with pytest.raises(ExpressionError):
        value(text)


def test_a_name_that_is_not_there_is_told_apart() -> None:
    with pytest.raises(MissingNameError):
        value("workflow.parameters.nope")


@pytest.mark.parametrize(
    "text",
    ["sprig.env('HOME')", "jsonpath(item, '$')", "int(item)", "map([1], {# * 2})", "item * 2", "item[0]",
     "item in ['7']", "item matches '7'", "`7`", "let x = 1; x", "a[b]", "1 2", "(1", "'x", "'\\q'", "a.1", ""],
)  # fmt: skip
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedField):
        value(text)


def test_the_names_of_an_expression_are_known_before_it_runs() -> None:
    assert set(names(parse("a.b['c-d'] ?? (e ? toJson(f) : !g)"))) == {("a", "b", "c-d"), ("e",), ("f",), ("g",)}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        (0.0001, "0.0001"),
        (1e-6, "0.000001"),
        (1.5e-5, "0.000015"),
        (1e-7, "1e-7"),
        (1e21, "1e+21"),
        (2.5, "2.5"),
    ],
)
def test_numbers_are_written_as_go_writes_them(number: float, text: str) -> None:
    assert go_number(number) == text
