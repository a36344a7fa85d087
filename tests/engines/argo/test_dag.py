"""DAGs: order, conditions, fan-out, recursion, and what the whole comes to."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest

from .cluster import Cluster
from .errors import UnsupportedField
from .samples import flow, sh
from .workflow import Workflow

LEAVES = sh("ok", "exit 0") + sh("bad", "exit 3") + "- {name: pause, suspend: {duration: '0'}}\n"


def run(cluster: Cluster, tasks: str, more: str = "", expect: str = "Succeeded", **spec: object) -> Workflow:
    body = f"- name: main\n  dag:\n    tasks:\n{indent(tasks, 4)}"
    cluster.apply(flow(body + LEAVES + more, **spec))  # type: ignore[arg-type]
    workflow = cluster.submit("sample")
    assert workflow.wait(30) == expect, workflow.describe()
    return workflow


def indent(text: str, by: int) -> str:
    return "".join(" " * by + line + "\n" for line in text.strip().splitlines())


def phases(workflow: Workflow) -> dict[str, str]:
    return {node.display_name: node.phase for node in workflow.nodes[1:]}


def test_tasks_run_in_the_order_of_depends(cluster: Cluster) -> None:
    workflow = run(
        cluster,
        """
- {name: c, template: ok, depends: a.Succeeded && b.Succeeded}
- {name: a, template: ok}
- {name: b, template: ok, depends: a.Succeeded}
""",
    )
    a, b, c = (workflow.node(name) for name in "abc")
    assert a.finished
    assert b.finished
    assert a.started <= a.finished <= b.started <= b.finished <= c.started


def test_independent_tasks_run_at_the_same_time(cluster: Cluster) -> None:
    wait = sh("wait", "sleep 0.3")
    workflow = run(cluster, "- {name: a, template: wait}\n- {name: b, template: wait}", wait)
    a, b = workflow.node("a"), workflow.node("b")
    assert b.finished
    assert a.started < b.finished
    assert a.finished
    assert b.started < a.finished


def test_a_failure_omits_what_depends_on_success_and_fails_the_whole(cluster: Cluster) -> None:
    workflow = run(
        cluster,
        """
- {name: a, template: bad}
- {name: b, template: ok, depends: a.Succeeded}
- {name: c, template: ok, depends: b.Succeeded}
""",
        expect="Failed",
    )
    assert phases(workflow) == {"a": "Failed", "b": "Omitted", "c": "Omitted"}
    assert workflow.node("a").exit_code == 3


def test_a_failure_that_a_leaf_handles_does_not_fail_the_whole(cluster: Cluster) -> None:
    workflow = run(
        cluster,
        """
- {name: a, template: bad}
- {name: b, template: ok, depends: a.Succeeded || a.Failed || a.Errored}
""",
    )
    assert phases(workflow) == {"a": "Failed", "b": "Succeeded"}


def test_a_tolerated_leaf_needs_a_successor_without_a_pod(cluster: Cluster) -> None:
    run(cluster, "- {name: a, template: bad}", expect="Failed")
    workflow = run(
        cluster,
        """
- {name: a, template: bad}
- {name: b, template: pause, depends: a.Succeeded || a.Failed || a.Errored}
""",
    )
    assert workflow.node("b").pods == []


def test_a_skipped_leaf_has_the_phase_of_its_parents(cluster: Cluster) -> None:
    run(
        cluster,
        """
- {name: a, template: bad}
- {name: b, template: ok, depends: a.Failed, when: 'false'}
""",
        expect="Failed",
    )
    run(
        cluster,
        """
- {name: a, template: ok}
- {name: b, template: ok, depends: a.Succeeded, when: 'false'}
""",
    )


def test_the_dag_waits_for_what_was_started_when_another_branch_has_failed(cluster: Cluster) -> None:
    slow = sh("slow", "sleep 0.4")
    workflow = run(cluster, "- {name: a, template: bad}\n- {name: b, template: slow}", slow, expect="Failed")
    assert workflow.node("b").phase == "Succeeded"


def test_when_is_an_expression_over_results_of_ancestors(cluster: Cluster) -> None:
    pick = sh(
        "pick",
        "printf gpu > $OUT",
        container={"env": [{"name": "OUT", "value": "/tmp/x"}]},
        outputs={"parameters": [{"name": "arm", "valueFrom": {"path": "/tmp/x"}}]},
    )
    workflow = run(
        cluster,
        """
- {name: p, template: pick}
- {name: gpu, template: ok, depends: p.Succeeded, when: "{{= tasks.p.outputs.parameters.arm == 'gpu' }}"}
- {name: cpu, template: ok, depends: p.Succeeded, when: "{{= tasks['p'].outputs.parameters['arm'] == 'cpu' }}"}
- {name: join, template: ok, depends: (gpu.Succeeded || gpu.Skipped) && (cpu.Succeeded || cpu.Skipped)}
""",
        pick,
    )
    assert phases(workflow) == {"p": "Succeeded", "gpu": "Succeeded", "cpu": "Skipped", "join": "Succeeded"}


def test_results_of_a_task_that_is_no_ancestor_are_out_of_reach(cluster: Cluster) -> None:
    pick = sh(
        "pick",
        "printf 1 > $0",
        container={"args": ["/tmp/x"]},
        outputs={"parameters": [{"name": "v", "valueFrom": {"path": "/tmp/x"}}]},
    )
    take = sh("take", "true", inputs={"parameters": [{"name": "v"}]})
    workflow = run(
        cluster,
        """
- {name: p, template: pick}
- {name: q, template: take, arguments: {parameters: [{name: v, value: "{{tasks.p.outputs.parameters.v}}"}]}}
""",
        pick + take,
        expect="Error",
    )
    assert "failed to resolve" in workflow.node("q").message


def test_an_output_of_a_skipped_task_has_to_be_handled(cluster: Cluster) -> None:
    def pick(default: object) -> str:
        source = {"path": "/tmp/x", **({"default": default} if default is not None else {})}
        outputs = {"parameters": [{"name": "v", "valueFrom": source}]}
        return sh("pick", "true", container={"args": ["/tmp/x"]}, outputs=outputs)

    def take(**more: str) -> str:
        return sh(
            "take",
            "echo got $V",
            inputs={"parameters": [{"name": "v", **more}]},
            container={"env": [{"name": "V", "value": "{{inputs.parameters.v}}"}]},
        )

    def tasks(value: str) -> str:
        return f"""
- {{name: p, template: pick, when: "false"}}
- {{name: q, template: take, depends: p.Skipped, arguments: {{parameters: [{{name: v, value: "{value}"}}]}}}}
"""

    plain, fallback = "{{tasks.p.outputs.parameters.v}}", "{{= tasks.p.outputs.parameters.v ?? 'f' }}"
    for value, producer, consumer, expected in (
        (plain, pick("d"), take(), "got d"),
        (plain, pick(None), take(default="own"), "got own"),
        (fallback, pick(None), take(), "got f"),
    ):
        workflow = run(cluster, tasks(value), producer + consumer)
        assert workflow.node("q").pods[0].logs().strip() == expected
    workflow = run(cluster, tasks(plain), pick(None) + take(), expect="Error")
    assert "absent optional" in workflow.node("q").message


ITEM = sh(
    "item",
    "echo item $I",
    inputs={"parameters": [{"name": "i"}]},
    container={"env": [{"name": "I", "value": "{{inputs.parameters.i}}"}]},
)
ARGUMENTS = "arguments: {parameters: [{name: i, value: '{{item}}'}]}"


def fan(count: int | str, more: str = "") -> str:
    return f"- {{name: f, template: item, {more}withSequence: {{count: '{count}'}}, {ARGUMENTS}}}\n"


def test_a_fan_out_runs_once_for_each_index(cluster: Cluster) -> None:
    workflow = run(cluster, fan(3) + "- {name: j, template: ok, depends: f.Succeeded}", ITEM)
    assert [child.display_name for child in workflow.node("f").children] == ["f(0:0)", "f(1:1)", "f(2:2)"]
    assert [child.pods[0].logs().strip() for child in workflow.node("f").children] == ["item 0", "item 1", "item 2"]


def test_an_empty_fan_out_is_skipped_so_the_join_has_to_say_so(cluster: Cluster) -> None:
    workflow = run(
        cluster,
        fan(0)
        + """
- {name: j, template: ok, depends: f.Succeeded}
- {name: k, template: ok, depends: f.Succeeded || f.Skipped}
""",
        ITEM,
    )
    assert phases(workflow) == {"f": "Skipped", "j": "Omitted", "k": "Succeeded"}


def test_a_fan_out_may_be_as_wide_as_a_result_says(cluster: Cluster) -> None:
    split = sh(
        "split",
        "echo 2 > $1",
        container={"args": ["-", "/tmp/n"]},
        outputs={"parameters": [{"name": "n", "valueFrom": {"path": "/tmp/n"}}]},
    )
    task = fan("{{tasks.s.outputs.parameters.n}}", "depends: s.Succeeded, ")
    workflow = run(cluster, "- {name: s, template: split}\n" + task, ITEM + split)
    assert len(workflow.node("f").children) == 2


def test_one_failed_item_fails_the_fan_out_and_the_others_run_on(cluster: Cluster) -> None:
    item = ITEM.replace("echo item $I", "test $I != 0")
    workflow = run(
        cluster,
        fan(3)
        + """
- {name: all, template: ok, depends: f.AllFailed}
- {name: any, template: ok, depends: f.AnySucceeded}
""",
        item,
        expect="Failed",
    )
    assert [child.phase for child in workflow.node("f").children] == ["Failed", "Succeeded", "Succeeded"]
    assert (workflow.node("all").phase, workflow.node("any").phase) == ("Omitted", "Succeeded")


def test_parallelism_bounds_the_children_of_a_dag(cluster: Cluster) -> None:
    item = sh("item", "sleep 0.15", inputs={"parameters": [{"name": "i"}]})
    body = f"- name: main\n  parallelism: 2\n  dag:\n    tasks:\n{indent(fan(5), 4)}"
    cluster.apply(flow(body + item))
    workflow = cluster.submit("sample")
    workflow.wait(30)
    pods = [child.pods[0] for child in workflow.node("f").children]
    moments = [pod.created for pod in pods]
    at_once = [sum(pod.created <= m < (pod.finished or time.time()) for pod in pods) for m in moments]
    assert max(at_once) == 2


LOOP = """
- name: main
  inputs: {parameters: [{name: i, default: '0'}]}
  dag:
    tasks:
    - {name: body, template: ok}
    - name: again
      template: main
      depends: body.Succeeded
      when: "{{= asInt(inputs.parameters.i) < LAST }}"
      arguments: {parameters: [{name: i, value: "{{= asInt(inputs.parameters.i) + 1 }}"}]}
"""


def test_the_spec_bounds_the_pods_of_the_whole_workflow(cluster: Cluster) -> None:
    wait = sh("wait", "sleep 0.1")
    tasks = "".join(f"- {{name: t{i}, template: wait}}\n" for i in range(4))
    workflow = run(cluster, tasks, wait, spec="parallelism: 1")
    pods = [node.pods[0] for node in workflow.nodes[1:]]
    assert all(later.created >= (earlier.finished or 0) for earlier, later in pairwise(pods))


def test_results_of_a_fan_out_are_those_of_the_items_that_succeeded(cluster: Cluster) -> None:
    item = sh(
        "item",
        "echo v$I > $0; test $I != 1",
        inputs={"parameters": [{"name": "i"}]},
        container={"env": [{"name": "I", "value": "{{inputs.parameters.i}}"}], "args": ["/tmp/o"]},
        outputs={"parameters": [{"name": "o", "valueFrom": {"path": "/tmp/o"}}]},
    )
    take = sh("take", "echo '{{inputs.parameters.v}}'", inputs={"parameters": [{"name": "v"}]})
    workflow = run(
        cluster,
        fan(3)
        + """
- name: take
  template: take
  depends: f.Failed
  arguments: {parameters: [{name: v, value: "{{tasks.f.outputs.parameters.o}}"}]}
""",
        item + take,
    )
    assert json.loads(workflow.node("take").pods[0].logs()) == ["v0", "v2"]  # position 1 is not item 1


def test_a_dag_may_call_itself(cluster: Cluster) -> None:
    cluster.apply(flow(LOOP.replace("LAST", "2") + LEAVES))
    workflow = cluster.submit("sample")
    assert workflow.wait(30) == "Succeeded", workflow.describe()
    assert sum(node.display_name == "body" for node in workflow.nodes) == 3


def test_recursion_ends_at_a_depth_of_a_hundred(cluster: Cluster) -> None:
    body = LOOP.replace("LAST", "1000").replace("template: ok", "template: pause")
    cluster.apply(flow(body + LEAVES))
    workflow = cluster.submit("sample")
    assert workflow.wait(30) == "Error"
    assert sum(node.display_name == "body" for node in workflow.nodes) == 99
    assert any("Maximum recursion depth" in node.message for node in workflow.nodes)


def test_a_dag_hands_on_the_outputs_of_its_tasks(cluster: Cluster) -> None:
    pick = sh(
        "pick",
        "printf 5 > $1",
        container={"args": ["-", "/tmp/x"]},
        outputs={"parameters": [{"name": "v", "valueFrom": {"path": "/tmp/x"}}]},
    )
    inner = """
- name: inner
  dag: {tasks: [{name: p, template: pick}, {name: n, template: pick, when: 'false'}]}
  outputs:
    parameters:
    - {name: v, valueFrom: {parameter: '{{tasks.p.outputs.parameters.v}}'}}
    - {name: w, valueFrom: {expression: "tasks.n.outputs.parameters.v ?? tasks.p.outputs.parameters.v + '!'"}}
    - {name: x, valueFrom: {parameter: '{{tasks.n.outputs.parameters.v}}', default: none}}
"""
    workflow = run(cluster, "- {name: i, template: inner}", inner + pick)
    assert workflow.node("i").outputs == {"v": "5", "w": "5!", "x": "none"}


def test_a_template_of_another_workflow_template(cluster: Cluster) -> None:
    other = "- {name: main, dag: {tasks: [{name: deep, template: local}]}}\n" + sh("local", "echo other $DEFAULT")
    cluster.apply(flow(other, name="other"))
    workflow = run(cluster, "- {name: a, templateRef: {name: other, template: main}}", sh("local", "echo mine"))
    assert workflow.node("deep").pods[0].logs().strip() == "other"


def test_template_defaults_are_merged_into_templates_of_the_same_kind(cluster: Cluster) -> None:
    spec = "{templateDefaults: {container: {env: [{name: A, value: d}]}, retryStrategy: {limit: '1'}}}"
    cluster.apply(flow(sh("main", "echo $A; exit 1"), spec=spec))
    workflow = cluster.submit("sample")
    assert workflow.wait(30) == "Failed"
    assert [attempt.pods[0].logs() for attempt in workflow.nodes[0].attempts] == ["d\n", "d\n"]


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [
        ("- {name: a, template: ok, depends: z}", "unknown task z"),
        ("- {name: a, template: ok, when: 'a == b'}", "neither true nor false"),
        ("- {name: a, template: ok, depends: a.Done}", "result 'Done'"),
    ],
)
def test_what_a_dag_cannot_say(cluster: Cluster, tasks: str, reason: str) -> None:
    with pytest.raises(UnsupportedField, match=reason):
        run(cluster, tasks)
