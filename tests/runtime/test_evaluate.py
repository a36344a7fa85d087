"""What a value is on an instance's path: the rules of the language, on plans made by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from flowc.runtime import plan
from flowc.runtime.evaluate import ABSENT, Path, evaluate, evaluate_control
from flowc.runtime.plan import Const, Either, FromItem, FromParam, FromRun, FromStep, Gather, LastTurn, Previous

SETTINGS = plan.Settings("image", 1.0, 1, 0, None, None, 600, 0, 10)
MAY_FAIL = plan.Settings("image", 1.0, 1, 0, None, None, 600, 0, 10, allow_failure=True)


def step(name: str, settings: plan.Settings = SETTINGS) -> plan.Step:
    return plan.Step(name, 1, "", plan.Script("bash", "true"), (), (), (), (), None, settings)


def fan_out(name: str, items: plan.Value, *nodes: plan.Node, task: str = "begin") -> plan.FanOut:
    return plan.FanOut(name, 1, "", items, None, plan.Decided(task, name), (), nodes)


def branch(name: str, *arms: tuple[plan.Node, ...], task: str = "begin") -> plan.Branch:
    return plan.Branch(name, 1, "", plan.Decided(task, name), False, (), tuple(map(plan.Arm, arms)))


def loop(name: str, limit: int, *nodes: plan.Node, task: str) -> plan.Loop:
    return plan.Loop(name, 1, "", limit, plan.Decided(task, name), (), nodes)


def flow(*nodes: plan.Node) -> plan.Plan:
    return plan.Plan("f", "f.flow", None, (), nodes)


BEGIN = plan.Decision("begin", (), ())


@dataclass
class Fake:
    """Outputs and controls by (name, path); `expected` is what the evaluation said it would ask for."""

    params: dict[str, Any] = field(default_factory=dict)
    outputs: dict[tuple[str, Path], Any] = field(default_factory=dict)
    controls: dict[tuple[str, Path], dict[str, Any]] = field(default_factory=dict)
    expected: list[tuple[str, Path]] = field(default_factory=list)

    def expect(self, instances: Iterable[tuple[str, Path]]) -> None:
        self.expected += instances

    def param(self, name: str) -> Any:
        return self.params[name]

    def run_value(self, name: str) -> str:
        return {"id": "r1", "status": "failed", "failed_step": "a"}[name]

    def has_outputs(self, step: str, path: Path) -> bool:
        return (step, path) in self.outputs

    def output(self, step: str, path: Path, output: str, *, each: bool) -> Any:
        assert output == "x"
        return self.outputs[step, path]

    def control(self, task: str, path: Path, name: str) -> Any:
        return self.controls.get((task, path), {}).get(name)


def of(name: str) -> FromStep:
    return FromStep(name, "x")


def test_a_sibling_in_a_loop_is_read_in_the_same_iteration() -> None:
    of_flow = flow(BEGIN, fan_out("i", FromParam("p"), step("a"), step("b")))
    reader = Fake(outputs={("a", (0,)): "zero", ("a", (1,)): "one"})
    assert evaluate(of("a"), (1,), of_flow, reader) == "one"


def test_a_step_outside_is_read_once_for_all_iterations() -> None:
    of_flow = flow(BEGIN, step("a"), fan_out("i", FromParam("p"), step("b")))
    assert evaluate(of("a"), (5,), of_flow, Fake(outputs={("a", ()): 7})) == 7


def test_the_loop_variable_is_the_item_of_this_iteration() -> None:
    of_flow = flow(BEGIN, fan_out("i", FromParam("p"), fan_out("j", of("a"), step("b"), task="a")), step("a"))
    reader = Fake(params={"p": ["x", "y"]}, outputs={("a", ()): [1, 2, 3]})
    assert evaluate(FromItem("i"), (1, 2), of_flow, reader) == "y"
    assert evaluate(FromItem("j"), (1, 2), of_flow, reader) == 3


def test_a_join_keeps_the_order_of_the_items_outermost_first() -> None:
    inner = fan_out("j", FromParam("p"), step("a"))
    of_flow = flow(BEGIN, fan_out("i", FromParam("p"), inner), step("b"))
    reader = Fake(
        outputs={("a", (i, j)): 10 * i + j for i in range(2) for j in range(3)},
        controls={("begin", ()): {"i": [0, 1], "j": [0, 1, 2]}},
    )
    assert evaluate(Gather("i", Gather("j", of("a"))), (), of_flow, reader) == [[0, 1, 2], [10, 11, 12]]
    # From inside the outer loop, one star is enough.
    assert evaluate(Gather("j", of("a")), (1,), of_flow, reader) == [10, 11, 12]
    # From deeper inside another block, the path is cut first.
    assert evaluate(Gather("i", Gather("j", of("a"))), (1, 2), of_flow, reader) == [[0, 1, 2], [10, 11, 12]]


def test_an_empty_list_joins_to_an_empty_list() -> None:
    of_flow = flow(BEGIN, fan_out("i", FromParam("p"), step("a")), step("b"))
    assert evaluate(Gather("i", of("a")), (), of_flow, Fake(controls={("begin", ()): {"i": []}})) == []


def test_an_empty_list_in_an_arm_that_was_not_taken_is_absent() -> None:
    of_flow = flow(BEGIN, branch("if", (fan_out("i", FromParam("p"), step("a")),)), step("b"))
    value = Either((Gather("i", of("a")), Const(["none"])))
    for choice, expected in ((0, []), (1, ["none"])):
        reader = Fake(controls={("begin", ()): {"i": [], "if": choice}})
        assert evaluate(value, (), of_flow, reader) == expected


@pytest.mark.parametrize(("choice", "expected"), [(0, "first"), (1, "second"), (2, "neither")])
def test_either_goes_by_the_recorded_choice_not_by_what_exists(choice: int, expected: str) -> None:
    of_flow = flow(BEGIN, branch("if", (step("a"),), (step("b"),)), step("c"))
    reader = Fake(
        outputs={("a", ()): "first", ("b", ()): "second"},  # a zombie wrote the one that was not taken
        controls={("begin", ()): {"if": choice}},
    )
    assert evaluate(Either((of("a"), of("b"), Const("neither"))), (), of_flow, reader) == expected


def test_either_with_a_star_chooses_for_each_item() -> None:
    of_flow = flow(BEGIN, fan_out("i", FromParam("p"), step("s"), branch("if", (step("a"),), task="s")), step("b"))
    reader = Fake(
        outputs={("a", (0,)): "taken", ("a", (2,)): "taken"},
        controls={("begin", ()): {"i": [0, 1, 2]}} | {("s", (i,)): {"if": i % 2} for i in range(3)},
    )
    assert evaluate(Gather("i", Either((of("a"), Const("not")))), (), of_flow, reader) == ["taken", "not", "taken"]


def test_a_join_says_first_what_it_will_ask_for() -> None:
    """So that a reader far from the store can bring it at once: outputs, and the choices of arms around them."""
    of_flow = flow(
        BEGIN, step("c"), fan_out("i", FromParam("p"), step("s"), branch("if", (step("a"),), task="s")), step("b")
    )
    reader = Fake(
        outputs={("a", (0,)): 1, ("a", (1,)): 2, ("c", ()): 3},
        controls={("begin", ()): {"i": [0, 1]}} | {("s", (i,)): {"if": 0} for i in range(2)},
    )
    assert evaluate(Gather("i", Either((of("a"), of("c")))), (), of_flow, reader) == [1, 2]
    assert reader.expected == [("s", (0,)), ("s", (1,)), ("a", (0,)), ("a", (1,))]


def test_the_item_of_an_index_that_the_list_does_not_have_is_no_value() -> None:
    of_flow = flow(BEGIN, fan_out("i", FromParam("p"), step("a")))
    with pytest.raises(plan.PlanError, match="'i' has 2 items, and this is the one at 2"):
        evaluate(FromItem("i"), (2,), of_flow, Fake(params={"p": [1, 2]}))


def test_a_step_that_was_allowed_to_fail_is_absent_when_it_has_failed() -> None:
    of_flow = flow(step("a", MAY_FAIL), step("b"))
    value = Either((of("a"), Const(0)))
    assert evaluate(value, (), of_flow, Fake(outputs={("a", ()): 5})) == 5
    assert evaluate(value, (), of_flow, Fake()) == 0
    assert evaluate(of("a"), (), of_flow, Fake()) is ABSENT


def test_in_finally_everything_may_be_missing() -> None:
    of_flow = flow(BEGIN, fan_out("i", FromParam("p"), step("a")))
    value = Either((Gather("i", of("a")), Const([])))
    some = Fake(outputs={("a", (0,)): 1}, controls={("begin", ()): {"i": [0, 1]}})
    assert evaluate(value, (), of_flow, some, final=True) == []
    assert evaluate(value, (), of_flow, Fake(), final=True) == []
    all_ = Fake(outputs={("a", (0,)): 1, ("a", (1,)): 2}, controls={("begin", ()): {"i": [0, 1]}})
    assert evaluate(value, (), of_flow, all_, final=True) == [1, 2]
    assert evaluate(FromRun("status"), (), of_flow, all_, final=True) == "failed"


def test_a_loop_is_read_in_its_last_turn_from_outside_and_in_the_turn_before_from_inside() -> None:
    of_flow = flow(BEGIN, loop("r", 5, step("a"), step("b"), task="a"), step("c"))
    reader = Fake(
        params={"p": -1},
        outputs={("a", (turn,)): turn * turn for turn in range(4)},
        controls={("a", (turn,)): {"r": turn == 3} for turn in range(4)},
    )
    assert evaluate(LastTurn("r", of("a")), (), of_flow, reader) == 9
    before = Previous("r", of("a"), FromParam("p"))
    assert [evaluate(before, (turn,), of_flow, reader) for turn in range(4)] == [-1, 0, 1, 4]


def test_a_loop_that_never_ends_itself_is_read_in_the_turn_of_its_limit() -> None:
    of_flow = flow(BEGIN, loop("r", 3, step("a"), task="a"), step("c"))
    reader = Fake(
        outputs={("a", (turn,)): turn for turn in range(3)},
        controls={("a", (turn,)): {"r": False} for turn in range(3)},
    )
    assert evaluate(LastTurn("r", of("a")), (), of_flow, reader) == 2


@pytest.mark.parametrize(
    ("left", "sign", "right", "expected"),
    [
        (1, "==", 1.0, True),
        (2**63 + 1, "==", float(2**63), False),
        (float("nan"), "==", float("nan"), False),
        (float("nan"), "<", 1, False),
        (1, "<", float("inf"), True),
        ("a", "!=", "b", True),
        (1, ">=", 1, True),
        (1, ">", 1, False),
        (1, "<=", 0, False),
    ],
)
def test_comparisons(left: Any, sign: str, right: Any, expected: bool) -> None:
    value = plan.Compare(sign, FromParam("l"), FromParam("r"))
    assert evaluate(value, (), flow(), Fake(params={"l": left, "r": right})) is expected


def test_logic_stops_as_soon_as_it_knows() -> None:
    never = FromParam("missing")
    yes, no = Const(True), Const(False)
    assert evaluate(plan.Logic("or", (no, yes, never)), (), flow(), Fake()) is True
    assert evaluate(plan.Logic("and", (yes, no, never)), (), flow(), Fake()) is False
    assert evaluate(plan.Logic("and", (yes, plan.Not(no))), (), flow(), Fake()) is True


def test_texts_lists_and_objects_hold_values() -> None:
    parts = (Const("lr="), FromParam("lr"), Const(" "), FromParam("on"))
    params = {"lr": 0.001, "on": True}
    assert evaluate(plan.Text(parts), (), flow(), Fake(params)) == "lr=0.001 true"
    object_ = plan.MakeObject((plan.Member("a", plan.MakeList((FromParam("on"), Const(2)))),))
    assert evaluate(object_, (), flow(), Fake(params)) == {"a": [True, 2]}


def test_control_values() -> None:
    of_flow, reader = flow(), Fake({"items": ["a", "b"], "no": False, "yes": True, "n": 4})
    no, yes = FromParam("no"), FromParam("yes")
    assert evaluate_control(plan.Items("c", FromParam("items")), (), of_flow, reader) == [0, 1]
    assert evaluate_control(plan.Choice("c", (no, yes, yes)), (), of_flow, reader) == 1
    assert evaluate_control(plan.Choice("c", (no, no)), (), of_flow, reader) == 2
    assert evaluate_control(plan.Ends("c", yes), (), of_flow, reader) is True
    assert evaluate_control(plan.Size("c", FromParam("n")), (), of_flow, reader) == 4
    # A size that no gang can have must not fail the task that computes it: the gang may never start.
    for wrong in (0, -1, plan.MOST_NODES + 1):
        assert evaluate_control(plan.Size("c", Const(wrong)), (), of_flow, reader) == 1
    with pytest.raises(plan.PlanError, match="'c' has no value"):
        evaluate_control(plan.Ends("c", of("a")), (), flow(step("a", MAY_FAIL)), reader)
    with pytest.raises(plan.PlanError, match="'c' should be of type int, not True"):
        evaluate_control(plan.Size("c", yes), (), of_flow, reader)
