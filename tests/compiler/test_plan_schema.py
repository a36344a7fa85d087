"""The plan's format: its schema and its page are up to date, and every plan is of that format."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowc.compiler import plan_schema
from flowc.runtime import plan as plans
from tests.conftest import Golden

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "tests" / "samples" / "good").iterdir())


@cache
def validator() -> jsonschema.Draft202012Validator:
    schema = plan_schema.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_schema_in_the_manual_is_up_to_date(golden: Golden) -> None:
    golden(ROOT / "docs" / "plan.schema.json", plan_schema.schema_text())


def test_the_page_in_the_manual_is_up_to_date(golden: Golden) -> None:
    page = ROOT / "docs" / "plan.md"
    golden(page, plan_schema.page(page.read_text()))


@pytest.mark.parametrize("folder", SAMPLES, ids=lambda folder: folder.name)
def test_the_plan_of_a_sample_is_valid(folder: Path) -> None:
    validator().validate(json.loads((folder / "plan.json").read_text()))


SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.sampled_from(["", "a", "b_1", "list[int]", "é\n"]),
    int: st.integers(-3, 2**70),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    NoneType: st.none(),
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
JSON_HINT = get_type_hints(plans.Const)["value"]


@cache
def of_type(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that stands in the plan's dataclasses."""
    if hint == JSON_HINT:
        return ANY_JSON
    if hint in SCALARS:
        return SCALARS[hint]
    if get_origin(hint) is tuple:
        return st.lists(later(get_args(hint)[0]), max_size=2).map(tuple)
    if get_origin(hint) in (Union, UnionType):
        options = sorted(get_args(hint), key=size)
        # The simple ones more often, so that examples come to an end.
        return st.integers(0, 5).flatmap(
            lambda roll: of_type(options[0]) if roll else st.sampled_from(options).flatmap(of_type)
        )
    hints = get_type_hints(hint)
    return st.builds(hint, **{field.name: later(hints[field.name]) for field in fields(hint)})


def later(hint: Any) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: of_type(hint))


def size(hint: Any) -> int:
    return len(fields(hint)) if is_dataclass(hint) else 0


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(of_type(plans.Plan))
def test_any_plan_survives_its_text_and_is_valid(plan: plans.Plan) -> None:
    text = plans.dump(plan)
    assert plans.load(text) == plan
    assert plans.dump(plans.load(text)) == text
    validator().validate(json.loads(text))


# --- what is no plan --------------------------------------------------------------------------------------------------

PLAN = json.loads((ROOT / "tests" / "samples" / "good" / "gangs" / "plan.json").read_text())


def changed(**changes: Any) -> dict[str, Any]:
    return {**PLAN, **changes}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in PLAN.items() if key != name}


STEP = PLAN["nodes"][0]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (changed(version=1), "version 1, this runtime reads version 2"),
        (changed(version=3), "version 3, this runtime reads version 2"),
        (changed(version="2"), "version '2'"),
        (changed(version=2.0), "version 2.0"),
        (changed(version=True), "version True"),
        (changed(version=None), "version None"),
        (without("version"), "no version"),
        (without("finals"), "finals"),
        (changed(more=1), "more"),
        (changed(nodes=[{**STEP, "kind": "task"}]), "unknown kind 'task'"),
        (changed(nodes=[{key: value for key, value in STEP.items() if key != "kind"}]), "unknown kind None"),
        (changed(nodes=[{**STEP, "extra": 1}]), "extra"),
        (changed(nodes=[{key: value for key, value in STEP.items() if key != "on"}]), "on"),
        (changed(nodes=["step"]), "unknown kind None"),
        (changed(timeout="1h"), "plan.timeout should be of type int"),
    ],
)
def test_what_is_no_plan_of_this_version_is_refused_by_both(data: Any, says: str) -> None:
    with pytest.raises(plans.PlanError) as refused:
        plans.load(json.dumps(data))
    assert says in str(refused.value)
    # A schema cannot tell 2.0 from 2.
    if type(data.get("version")) is not float:
        assert not validator().is_valid(data)
