"""lower: nothing of the model is lost on the way to the plan, whatever the size of the flow."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import pytest

from flowc.compiler.lower import lower
from flowc.dsl import tables
from flowc.dsl.spans import Source
from flowc.runtime import plan as plans
from tests.compiler.plans import broken_laws, model_of, plan_of, resolved

SAMPLES = Path(__file__).parents[1] / "samples" / "good"


@pytest.mark.parametrize("folder", sorted(SAMPLES.iterdir()), ids=lambda folder: folder.name)
def test_the_plan_of_a_sample_obeys_the_laws(folder: Path) -> None:
    model = resolved(Source("flow.flow", (folder / "flow.flow").read_text()))
    assert list(broken_laws(model, lower(model))) == []


def test_every_kind_of_value_becomes_its_own_kind() -> None:
    plan = plan_of("""
      param p: int = 1
      step a { out x: int  out s: string  out j: json  run ["a"] }
      foreach i in [1, 2] {
        step b { in i  out x: int  run ["b", i] }
      }
      repeat max 2 { step c { in before = previous(c.x, p)  out x: int  run ["c", before] } } until c.x == 3
      step d {
        in text = "${a.s}-${p}"
        in many = [a.x, p]
        in thing = { name = a.s, "n" = 3, inner = [a.x] }
        in all = b[*].x
        in last = c.x
        in first = either(a.x, 1)
        in constant = [1, 2]
        run ["d"]
      }
    """)
    values = {item.name: item.value for item in plan.step("d").inputs}
    a_x, a_s = plans.FromStep("a", "x"), plans.FromStep("a", "s")
    assert values == {
        "text": plans.Text((a_s, plans.Const("-"), plans.FromParam("p"))),
        "many": plans.MakeList((a_x, plans.FromParam("p"))),
        "thing": plans.MakeObject(
            (
                plans.Member("name", a_s),
                plans.Member("n", plans.Const(3)),
                plans.Member("inner", plans.MakeList((a_x,))),
            )
        ),
        "all": plans.Gather("i", plans.FromStep("b", "x")),
        "last": plans.LastTurn("repeat.c", plans.FromStep("c", "x")),
        "first": plans.Either((a_x, plans.Const(1))),
        "constant": plans.Const([1, 2]),
    }
    assert {item.name: item.type for item in plan.step("d").inputs}["thing"] == "json"
    assert plan.step("b").inputs[0].value == plans.FromItem("i")
    assert plan.step("c").inputs[0].value == plans.Previous("repeat.c", plans.FromStep("c", "x"), plans.FromParam("p"))


def test_every_kind_of_operand_becomes_its_own_kind() -> None:
    plan = plan_of("""
      secret hub { argo = "a/b" }
      step a {
        in n = 3
        out x: int
        env TOKEN = secret.hub
        env NAME = "${run.id}-${n}"
        run ["a", n, out.x, run.id, "--to=${out.x}", 1.5]
      }
    """)
    step = plan.step("a")
    assert step.body == plans.Command(
        (
            plans.Const("a"),
            plans.InRef("n"),
            plans.OutRef("x"),
            plans.RunId(),
            plans.Format((plans.Const("--to="), plans.OutRef("x"))),
            plans.Const(1.5),
        )
    )
    assert {item.name: item.value for item in step.env} == {
        "TOKEN": plans.SecretRef("hub"),
        "NAME": plans.Format((plans.RunId(), plans.Const("-"), plans.InRef("n"))),
    }


def test_what_belongs_to_the_whole_flow() -> None:
    plan = plan_of("""
      timeout = 2h
      schedule "30 2 * * 1-5" in "Europe/Paris"
      schedule "0 0 * * *"
      secret hub { argo = "a/b"  sfn = "prod/hub:token" }
      secret other { local = "OTHER_ONE" }
      on local { cpus = 4  jobs = 2 }
      step a { run ["a"] }
    """)
    assert plan.timeout == 7200
    assert plan.schedules == (plans.Schedule("30 2 * * 1-5", "Europe/Paris"), plans.Schedule("0 0 * * *", "UTC"))
    assert plan.secrets == (
        plans.Secret("hub", "a/b", "prod/hub:token", "HUB"),
        plans.Secret("other", None, None, "OTHER_ONE"),
    )
    # In the order of the table, not of the file: the same settings give the same plan.
    assert plan.on == (plans.TargetSettings("local", {"jobs": 2, "cpus": 4}),)


def test_what_belongs_to_a_step() -> None:
    plan = plan_of("""
      step a parallel(4) {
        gpu = 8  cpu = 2  allow_failure = true
        main { gpu = 0 }
        ray { dashboard = false }
        on sfn { queue = "s" }
        on argo { queue = "a" }
        run ["a"]
      }
    """)
    step = plan.step("a")
    assert step.gang is not None
    assert (step.gang.nodes, step.gang.decided) == (4, None)
    assert isinstance(step.gang.framework, plans.Ray)
    assert step.gang.main is not None
    assert (step.gang.main.gpu, step.settings.gpu) == (0, 8)
    assert step.settings.allow_failure
    assert [target.target for target in step.on] == ["argo", "sfn"]


def test_outputs_of_every_node_say_so() -> None:
    plan = plan_of('step a parallel(2) { out each x: int  out y: int  run ["a"] }')
    assert plan.step("a").outputs == (plans.Output("x", "int", each=True), plans.Output("y", "int"))


def chain(count: int) -> str:
    steps = (f'step s{i} {{ {f"in x = s{i - 1}.x" if i else ""} out x: int run ["s"] }}' for i in range(count))
    return "\n".join(steps)


def nested(depth: int) -> str:
    """Every kind of block inside the others."""
    heads = ("foreach i{} in xs {{", "if p {{", "repeat max 2 {{")
    text = "param p: bool = true\nparam xs: list[int] = [1]\n"
    tail = ""
    for level in range(depth):
        text += heads[level % 3].format(level)
        tail = ("} until p" if level % 3 == 2 else "}") + "\n" + tail
    return f'{text}\nstep s {{ run ["s"] }}\n{tail}'


def test_a_chain_of_thousands_is_lowered_in_linear_time_and_without_recursion() -> None:
    seconds = []
    for count in (1000, 10_000):
        model = model_of(chain(count))
        gc.collect()
        gc.disable()  # its time depends on what other tests have left
        began = time.process_time()
        plan = lower(model)
        seconds.append(time.process_time() - began)
        gc.enable()
        assert plan.step(f"s{count - 1}").needs == (f"s{count - 2}",)
    assert seconds[1] < 30 * max(seconds[0], 0.01)


def test_thousands_of_decisions_take_linear_time() -> None:
    gate = 'step s{0} {{ out ok: bool run ["s"] }}\nif s{0}.ok and p {{ step t{0} {{ run ["t"] }} }}'
    model = model_of("param p: bool = true\n" + "\n".join(map(gate.format, range(3000))))
    began = time.process_time()
    plan = lower(model)
    assert time.process_time() - began < 5
    assert plan.step("s2999").controls[0].name == "if.t2999"


def test_fifty_levels_of_blocks() -> None:
    plan = plan_of(nested(50))
    assert len(plan.chain("s")) == 50
    assert plans.load(plans.dump(plan)) == plan


def test_language_and_runtime_agree_on_the_largest_gang() -> None:
    assert tables.MOST_NODES == plans.MOST_NODES
