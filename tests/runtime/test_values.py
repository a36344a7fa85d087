"""Values by declared type: text, JSON and Python agree, and what is not of the type is refused with its name."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.runtime.values import BadValue, from_json, parse_text, to_json, to_text

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(),
    "int": st.integers(),
    "float": st.floats(),
    "bool": st.booleans(),
}


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[str, Any]:
    type_ = draw(st.sampled_from(sorted(SCALARS)))
    values = SCALARS[type_]
    for _ in range(draw(st.integers(0, 2))):
        type_, values = f"list[{type_}]", st.lists(values, max_size=4)
    return type_, draw(values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_json_is_kept_as_it_is(value: Any) -> None:
    assert from_json("json", json.loads(json.dumps(to_json("json", value), allow_nan=False))) == value
    assert parse_text("json", to_text("json", value)) == value
    assert from_json("list[json]", to_json("list[json]", [value])) == [value]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (type(other) is float and one == other)
    return type(one) is type(other) and one == other


@given(typed_values())
def test_json_keeps_every_value_and_is_real_json(typed: tuple[str, Any]) -> None:
    type_, value = typed

    text = json.dumps(to_json(type_, value), allow_nan=False)

    assert same(from_json(type_, json.loads(text)), value)


@given(typed_values())
def test_text_keeps_every_value(typed: tuple[str, Any]) -> None:
    type_, value = typed

    assert same(parse_text(type_, to_text(type_, value)), value)


def test_an_int_is_taken_for_a_float_and_nothing_else_is_converted() -> None:
    assert same(from_json("float", 3), 3.0)
    assert same(from_json("list[float]", [1, 2.5]), [1.0, 2.5])
    for type_, value in [("int", 3.0), ("int", True), ("bool", 1), ("string", 3), ("float", "3"), ("float", True)]:
        with pytest.raises(BadValue):
            from_json(type_, value)


class Scalar:
    """What numpy and torch scalars look like."""

    def item(self) -> float:
        return 0.25


def test_scalars_of_other_libraries_are_taken_by_their_item() -> None:
    assert to_json("float", Scalar()) == 0.25


@pytest.mark.parametrize(
    ("type_", "text", "says"),
    [
        ("int", "two", "expected int (a whole number such as 3), found 'two'"),
        ("int", "3.0", "expected int"),
        ("int", "", "expected int"),
        ("int", "1_000", "expected int"),
        ("int", "٣", "expected int"),
        ("float", "fast", "expected float (a number such as 0.5), found 'fast'"),
        ("bool", "yes", "expected bool (true or false), found 'yes'"),
        ("bool", "True", "expected bool"),
        ("list[int]", "1,2", "expected list[int] as JSON, found '1,2'"),
        ("list[int]", '{"a": 1}', "expected list[int], found an object"),
        ("list[int]", "[1, true]", "expected int, found bool True"),
        ("json", "{a: 1}", "expected json as JSON, found '{a: 1}'"),
        ("json", "[NaN]", "expected json, found nan, which JSON does not have"),
        ("json", "[" * 100_000, "expected json as JSON"),
    ],
)
def test_text_of_another_type_is_refused_in_plain_words(type_: str, text: str, says: str) -> None:
    with pytest.raises(BadValue) as error:
        parse_text(type_, text)

    assert says in str(error.value)


@pytest.mark.parametrize("type_", ["float", "list[float]"])
def test_a_number_that_no_float_holds_is_refused(type_: str) -> None:
    huge: Any = 10**400
    with pytest.raises(BadValue, match="expected float"):
        from_json(type_, [huge] if type_ != "float" else huge)


def test_a_text_of_too_many_digits_is_refused() -> None:
    with pytest.raises(BadValue, match="expected int"):
        parse_text("int", "9" * 5000)
