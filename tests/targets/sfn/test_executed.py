"""The template on the Step Functions and Batch engine, with a stand-in for the runtime: order, retries, the clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowc.runtime.plan import Plan
from flowc.targets import sfn
from tests.engines.aws.stack import Aws, Execution
from tests.targets.plans import build, diamond, plan, step
from tests.targets.stand_in import StandIn


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn.make(tmp_path / "image")


@pytest.fixture
def aws(tmp_path: Path, stand_in: StandIn) -> Iterator[Aws]:
    with Aws(tmp_path / "aws", base_env={"PATH": stand_in.path}, seed=1) as aws:
        aws.bucket("bucket")
        yield aws


def start(aws: Aws, of: Plan, params: dict[str, Any] | None = None, store: str = "s3://bucket/prefix") -> Execution:
    files = {file.name: file.text for file in sfn.render(sfn.emit(build(of, store=store)))}
    execution: Execution = aws.deploy(files["template.yaml"], {"JobQueue": aws.queue_arn}).start(params, name="run-1")
    return execution


def succeed(execution: Execution) -> None:
    assert execution.wait(60) == "SUCCEEDED", execution.explain()


@pytest.mark.parametrize(("store", "key"), [("s3://bucket/a/b", "a/b/sample/run-1/"), ("s3://bucket", "sample/run-1/")])
def test_the_input_is_recorded(aws: Aws, store: str, key: str) -> None:
    params = {"epochs": 3, "corpus": "{{x}} ${y} \n é", "sizes": [1, 2]}
    succeed(start(aws, plan(step("a")), params, store))
    body = aws.s3.get_object(Bucket="bucket", Key=f"{key}input.json")["Body"].read()
    assert json.loads(body) == params


def test_nodes_are_told_who_they_are(aws: Aws, stand_in: StandIn) -> None:
    execution = start(aws, diamond())
    succeed(execution)
    assert execution.output == {"run": "run-1"}
    [note] = stand_in.notes("start")
    assert note["argv"] == ["-m", "flowc.runtime", "step", "start", "--run", "run-1"]
    assert {name: value for name, value in note["env"].items() if name.startswith("FLOWC_")} == {
        "FLOWC_ENGINE": "batch", "FLOWC_STORE": "s3://bucket/prefix/", "FLOWC_FLOW": "diamond",
        "FLOWC_BUNDLE": "b" * 64,
    }  # fmt: skip
    nodes = [note["env"] for note in stand_in.notes("left")]
    # In any order: the main node is started first, but need not be the first to write its note.
    assert sorted((env["AWS_BATCH_JOB_NODE_INDEX"], env["AWS_BATCH_JOB_NUM_NODES"]) for env in nodes)[0] == ("0", "2")
    assert "AWS_BATCH_JOB_NUM_NODES" not in stand_in.notes("right")[0]["env"]


def test_steps_run_in_order(aws: Aws, stand_in: StandIn) -> None:
    succeed(start(aws, diamond()))
    times = {name: [note["at"] for note in stand_in.notes(name)] for name in ("start", "left", "right", "join")}
    assert max(times["start"]) < min(times["left"] + times["right"])
    assert max(times["left"] + times["right"]) < min(times["join"])


@pytest.mark.parametrize("gang", [0, 2])
def test_a_failing_step_is_retried(aws: Aws, stand_in: StandIn, gang: int) -> None:
    stand_in.fail("flaky", 2)
    succeed(start(aws, plan(step("flaky", gang=gang, retries=2, retry_wait=1))))
    assert stand_in.attempts("flaky") == 3


def test_a_step_that_keeps_failing_fails_the_flow(aws: Aws, stand_in: StandIn) -> None:
    stand_in.fail("broken", 9)
    execution = start(aws, plan(step("broken", retries=1), step("after", ["broken"])))
    assert execution.wait(60) == "FAILED"
    assert execution.error == "States.TaskFailed"
    assert (stand_in.attempts("broken"), stand_in.attempts("after")) == (2, 0)


def test_a_flow_within_its_timeout_succeeds(aws: Aws, stand_in: StandIn) -> None:
    execution = start(aws, plan(step("a"), step("b", ["a"]), timeout=3600))
    succeed(execution)
    assert execution.output == {"run": "run-1"}
    assert "TimedOut" not in execution.entered()


def test_a_flow_beyond_its_timeout_is_ended_with_its_jobs(aws: Aws, stand_in: StandIn) -> None:
    stand_in.hold("slow")
    execution = start(aws, plan(step("slow"), step("after", ["slow"]), timeout=60))
    assert execution.wait(60) == "FAILED"
    assert execution.error == "flowc.TimedOut"
    assert aws.batch.job("sample-slow").wait(30) == "FAILED"
    assert stand_in.attempts("after") == 0


def test_a_failure_within_a_timeout_keeps_its_name(aws: Aws, stand_in: StandIn) -> None:
    stand_in.fail("broken", 9)
    execution = start(aws, plan(step("broken"), timeout=3600))
    assert execution.wait(60) == "FAILED"
    assert execution.error == "States.TaskFailed"
