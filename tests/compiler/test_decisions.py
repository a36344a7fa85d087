"""Who computes each control value: the rule in `flowc.compiler.decisions`, case by case."""

from __future__ import annotations

import pytest

from flowc.runtime import plan as plans
from flowc.runtime.plan import BEGIN, Decided, Plan
from tests.compiler.plans import plan_of, tree

MAKE = """
  step make {
    out items: list[string]
    out ok: bool
    out n: int
    run ["make"]
  }
"""
GATE = """
  step gate {
    out ok: bool
    out n: int
    run ["gate"]
  }
"""


def use(name: str) -> str:
    return f'step {name} {{ run ["use"] }}'


def decided(plan: Plan, name: str) -> Decided:
    node = plan.node(name)
    if isinstance(node, plans.Step):
        assert node.gang is not None
        assert node.gang.decided is not None
        return node.gang.decided
    assert not isinstance(node, plans.Decision)
    return node.decided


def task_of(plan: Plan, name: str) -> str:
    return decided(plan, name).task


# --- 1: at the beginning ----------------------------------------------------------------------------------------------


def test_what_hangs_on_parameters_and_literals_is_decided_by_one_task_at_the_beginning() -> None:
    plan = plan_of(f"""
      param fast: bool = true
      param n: int = 2
      foreach x in ["a", "b"] {{
        if fast {{ step train parallel(n) {{ run ["train"] }} }}
      }}
      repeat max 3 {{ {use("again")} }} until not fast
      {use("last")}
    """)

    begin = plan.nodes[0]
    assert isinstance(begin, plans.Decision)
    assert (begin.name, begin.needs) == (BEGIN, ())
    assert [control.name for control in begin.controls] == ["x", "if.train", "nodes.train", "repeat.again"]
    assert tree(plan.nodes) == [BEGIN, "x", ["if.train", ["train"]], "repeat.again", ["again"], "last"]
    assert plan.node("x").needs == (BEGIN,)
    assert plan.node("if.train").needs == ()  # its fan-out has waited
    assert plan.node("repeat.again").needs == (BEGIN,)
    assert plan.node("last").needs == ()


def test_a_flow_without_control_values_has_no_decisions() -> None:
    assert tree(plan_of(MAKE + use("b")).nodes) == ["make", "b"]


# --- 2: by the step itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "name", "control"),
    [
        (f"foreach x in make.items {{ {use('u')} }}", "x", plans.Items("x", plans.FromStep("make", "items"))),
        (f"if make.ok {{ {use('u')} }}", "if.u", plans.Choice("if.u", (plans.FromStep("make", "ok"),))),
        (
            f"if make.ok and make.n > low {{ {use('u')} }}",
            "if.u",
            plans.Choice(
                "if.u",
                (
                    plans.Logic(
                        "and",
                        (
                            plans.FromStep("make", "ok"),
                            plans.Compare(">", plans.FromStep("make", "n"), plans.FromParam("low")),
                        ),
                    ),
                ),
            ),
        ),
        (
            'step u parallel(make.n) { run ["u"] }',
            "u",
            plans.Size("nodes.u", plans.FromStep("make", "n")),
        ),
    ],
)
def test_what_hangs_on_one_step_is_computed_by_that_step(block: str, name: str, control: plans.Control) -> None:
    plan = plan_of(f"param low: int = 1\n{MAKE}\n{block}")

    assert plan.step("make").controls == (control,)
    assert task_of(plan, name) == "make"
    assert plan.node(name).needs == ("make",)
    assert not any(isinstance(node, plans.Decision) for node in plan.all_nodes)


def test_all_arms_of_an_if_are_one_choice() -> None:
    plan = plan_of(f"{MAKE}\nif make.ok {{ {use('a')} }} else if make.n == 2 {{ {use('b')} }} else {{ {use('c')} }}")
    (control,) = plan.step("make").controls
    assert isinstance(control, plans.Choice)
    assert len(control.conditions) == 2
    branch = plan.node("if.a")
    assert isinstance(branch, plans.Branch)
    assert branch.total
    assert tree(plan.nodes) == ["make", "if.a", ["a"], ["b"], ["c"]]


def test_a_step_further_out_decides_for_every_item() -> None:
    plan = plan_of(f"{MAKE}\nforeach x in make.items {{ if make.ok {{ {use('u')} }} }}")
    assert [control.name for control in plan.step("make").controls] == ["x", "if.u"]
    assert decided(plan, "if.u") == Decided("make", "if.u")


def test_a_step_inside_a_loop_decides_in_its_own_instance_and_knows_the_item() -> None:
    plan = plan_of(f"""
      param xs: list[string] = ["a"]
      foreach x in xs {{
        {GATE}
        if gate.ok and x == "a" {{ {use("u")} }}
      }}
    """)
    assert task_of(plan, "if.u") == "gate"
    assert plan.node("if.u").needs == ("gate",)


def test_the_end_of_a_loop_is_decided_by_a_step_of_its_turn() -> None:
    plan = plan_of(f"repeat max 5 {{ {GATE} {use('u')} }} until gate.ok")
    assert plan.step("gate").controls == (plans.Ends("repeat.gate", plans.FromStep("gate", "ok")),)
    assert plan.node("repeat.gate").needs == ()


def test_either_of_two_outputs_of_one_step_is_still_its_own() -> None:
    assert task_of(plan_of(f"{MAKE}\nif either(make.ok, false) {{ {use('u')} }}"), "if.u") == "make"


# --- 3: tasks of their own --------------------------------------------------------------------------------------------


def test_outputs_of_two_steps_need_a_task() -> None:
    plan = plan_of(f"{MAKE}{GATE}\nif make.ok and gate.ok {{ {use('u')} }}")

    decision = plan.node("decide.if.u")
    assert plan.nodes[0] == decision
    assert decision.needs == ("make", "gate")
    assert plan.node("if.u").needs == ("decide.if.u", "make", "gate")


def test_a_step_that_may_fail_decides_nothing() -> None:
    gate = GATE.replace("out ok", "allow_failure = true  out ok", 1)
    plan = plan_of(f"{gate}\nif either(gate.ok, false) {{ {use('u')} }}")

    assert task_of(plan, "if.u") == "decide.if.u"
    assert plan.node("decide.if.u").needs == ("gate",)


def test_a_join_needs_a_task_that_waits_for_the_whole_block() -> None:
    plan = plan_of(f"""
      {MAKE}
      foreach x in make.items {{ step look {{ out name: string run ["look"] }} }}
      foreach y in look[*].name {{ {use("u")} }}
    """)
    assert plan.node("decide.y").needs == ("x",)
    assert plan.node("y").needs == ("decide.y", "x")


def test_a_loop_variable_alone_is_decided_for_each_item() -> None:
    plan = plan_of(f"param xs: list[int] = [1]\nforeach x in xs {{ if x > 1 {{ {use('u')} }} }}")
    assert tree(plan.nodes) == [BEGIN, "x", ["decide.if.u", "if.u", ["u"]]]
    assert plan.node("if.u").needs == ("decide.if.u",)


def test_a_step_outside_does_not_know_the_item() -> None:
    plan = plan_of(f'{MAKE}\nforeach x in make.items {{ if make.ok and x == "a" {{ {use("u")} }} }}')
    assert tree(plan.nodes) == ["make", "x", ["decide.if.u", "if.u", ["u"]]]
    assert plan.node("decide.if.u").needs == ()  # `make` is over before any item begins


def test_a_decision_stands_as_far_out_as_what_it_reads() -> None:
    plan = plan_of(f"{MAKE}{GATE}\nforeach x in make.items {{ if make.ok and gate.ok {{ {use('u')} }} }}")
    assert tree(plan.nodes) == ["decide.if.u", "make", "gate", "x", ["if.u", ["u"]]]
    assert plan.node("x").needs == ("decide.if.u", "make", "gate")
    assert plan.node("if.u").needs == ()


def test_a_value_from_the_same_arm_is_decided_in_that_arm() -> None:
    plan = plan_of(f"""
      {MAKE}
      if make.ok {{
        {GATE}
        step other {{ out ok: bool run ["other"] }}
        if gate.ok and other.ok {{ {use("u")} }}
      }}
    """)
    assert tree(plan.nodes) == ["make", "if.gate", ["decide.if.u", "gate", "other", "if.u", ["u"]]]


def test_a_step_in_an_arm_that_is_read_from_outside_cannot_decide() -> None:
    plan = plan_of(f"""
      {MAKE}
      if make.ok {{ {GATE} }}
      if either(gate.ok, true) {{ {use("u")} }}
    """)
    assert task_of(plan, "if.u") == "decide.if.u"
    assert plan.node("decide.if.u").needs == ("if.gate",)


def test_the_turn_before_is_decided_within_the_turn_and_waits_for_nothing_in_it() -> None:
    plan = plan_of(f"""
      {MAKE}
      repeat max 5 {{ {GATE} }} until gate.n == previous(gate.n, make.n)
    """)
    assert tree(plan.nodes) == ["make", "repeat.gate", ["decide.repeat.gate", "gate"]]
    assert plan.node("decide.repeat.gate").needs == ("gate",)
    assert plan.node("repeat.gate").needs == ("make",)

    plan = plan_of(f"""
      {MAKE}
      repeat max 5 {{
        if previous(gate.ok, true) {{ {use("u")} }}
        {GATE}
      }} until gate.ok
    """)
    assert plan.node("decide.if.u").needs == ()
    assert plan.node("if.u").needs == ("decide.if.u",)


def test_the_last_turn_of_a_loop_needs_a_task_outside() -> None:
    plan = plan_of(f"repeat max 5 {{ {GATE} }} until gate.ok\nif gate.n > 3 {{ {use('u')} }}")
    assert plan.node("decide.if.u").needs == ("repeat.gate",)
    assert plan.nodes[0].name == "decide.if.u"


# --- finally ----------------------------------------------------------------------------------------------------------


def test_in_finally_nothing_hangs_on_the_beginning_or_on_a_step_of_the_flow() -> None:
    plan = plan_of(f"""
      param n: int = 2
      {MAKE}
      finally {{
        step one parallel(n) {{ out n: int run ["one"] }}
        step two parallel(either(make.n, 1)) {{ run ["two"] }}
        step three parallel(one.n) {{ run ["three"] }}
      }}
    """)
    assert tree(plan.nodes) == ["make"]
    assert tree(plan.finals) == ["decide.nodes.one", "decide.nodes.two", "one", "two", "three"]
    assert plan.node("one").needs == ("decide.nodes.one",)
    assert plan.node("decide.nodes.two").needs == ()
    assert task_of(plan, "three") == "one"


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_loop_variable_may_be_called_begin() -> None:
    plan = plan_of(f"""
      {MAKE}{GATE}
      foreach decide in [1, 2] {{ {use("u")} }}
      foreach begin in [make.n, gate.n] {{ {use("v")} }}
      foreach nodes in [make.n, gate.n] {{ step w parallel(make.n) {{ run ["w"] }} }}
    """)
    names = {node.name for node in plan.all_nodes if isinstance(node, plans.Decision)}
    assert names == {BEGIN, "decide.begin", "decide.nodes"}
    assert task_of(plan, "w") == "make"
