"""The plan's text: what is written is read back, and anything else is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowc.runtime import plan
from flowc.runtime.plan import Plan, PlanError, dump, load
from tests.runtime.nodes import outputs, step, torchrun

PLAN = Plan(
    flow="demo",
    source="demo.flow",
    timeout=3600,
    params=(plan.Param("n", "list[int]", False, [1, 2]),),
    nodes=(
        step(plan.Script("bash", "x\n"), name="one", outputs=outputs(a="file")),
        step(
            plan.Call("c.py", "go"),
            name="two",
            needs=("one",),
            inputs=(plan.Input("a", "file", plan.FromStep("one", "a")),),
        ),
        step(
            plan.Command((plan.Const(1.5), plan.InRef("x"), plan.OutRef("y"), plan.RunId())),
            name="three",
            gang=torchrun(4, 2, 1, 29500),
            env=(plan.EnvVar("E", plan.Const("v")),),
        ),
    ),
)


def test_a_plan_survives_its_text_and_the_text_is_canonical() -> None:
    text = dump(PLAN)

    assert load(text) == PLAN
    assert dump(load(text)) == text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"version":2', '"version":1', "has version 1, this runtime reads version 2"),
        ('"nodes":4', '"nodes":"4"', "plan.nodes[2].gang.nodes should be of type int"),
        ('"kind":"torchrun"', '"kind":"horovod"', "unknown kind 'horovod'"),
        ('"flow":"demo",', "", "missing or unknown members: flow"),
        ('"flow":"demo"', '"flow":"demo","more":1', "missing or unknown members: more"),
        ('"needs":["one"]', '"needs":"one"', "plan.nodes[1].needs should be a list"),
    ],
)
def test_another_plan_is_refused_with_the_place(old: str, new: str, says: str) -> None:
    text = dump(PLAN)
    assert old in text

    with pytest.raises(PlanError) as error:
        load(text.replace(old, new, 1))

    assert says in str(error.value)


def test_what_is_no_plan_is_refused() -> None:
    for text in ("", "[]", "{}", "null", "{"):
        with pytest.raises(PlanError):
            load(text)


def test_a_step_is_found_by_name() -> None:
    assert PLAN.step("two").needs == ("one",)
    with pytest.raises(PlanError, match="no step 'four'"):
        PLAN.step("four")
    assert replace(PLAN.steps[0], gang=torchrun(3, 1)).nodes == 3
