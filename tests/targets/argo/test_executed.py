"""The documents on the Argo engine, with a stand-in for the runtime: what nodes are told, order, retries."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowc.runtime.plan import Param, Plan
from flowc.targets import argo
from tests.engines.argo import Cluster, Workflow
from tests.targets.hostile import HOSTILE
from tests.targets.plans import build, diamond, plan, step
from tests.targets.stand_in import StandIn


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn.make(tmp_path / "image")


@pytest.fixture
def cluster(tmp_path: Path, stand_in: StandIn) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", base_env={"PATH": stand_in.path}, clock_scale=0.001, grace_cap=1.0) as cluster:
        yield cluster


def start(cluster: Cluster, of: Plan, **params: str) -> Workflow:
    for file in argo.render(argo.emit(build(of, store="s3://bucket/$(HOME)"))):
        cluster.apply(file.text)
    return cluster.submit(of.flow.replace("_", "-"), params)


def test_nodes_are_told_who_they_are(cluster: Cluster, stand_in: StandIn) -> None:
    workflow = start(cluster, diamond())
    assert workflow.wait(60) == "Succeeded", workflow.describe()
    [note] = stand_in.notes("start")
    assert note["argv"] == ["-m", "flowc.runtime", "step", "start"]
    env = note["env"]
    assert {name: env[name] for name in ("FLOWC_ENGINE", "FLOWC_STORE", "FLOWC_FLOW", "FLOWC_RUN", "FLOWC_BUNDLE")} == {
        "FLOWC_ENGINE": "argo", "FLOWC_STORE": "s3://bucket/$(HOME)", "FLOWC_FLOW": "diamond",
        "FLOWC_RUN": workflow.uid, "FLOWC_BUNDLE": "b" * 64,
    }  # fmt: skip
    assert env["FLOWC_ENGINE_REF"] == f"test/{workflow.name}"
    assert env["FLOWC_PARAMS"] == ""
    assert env["FLOWC_ADDRESS"].startswith("127.")
    gang = [note["env"] for note in stand_in.notes("left")]
    assert sorted(env["JOB_COMPLETION_INDEX"] for env in gang) == ["0", "1"]
    assert len({env["FLOWC_JOBSET_UID"] for env in gang}) == 1
    assert {(env["FLOWC_NODES"], env["FLOWC_JOBSET_RESTART"]) for env in gang} == {("2", "0")}
    assert all("FLOWC_PARAMS" not in env for env in gang)


def test_steps_run_in_order(cluster: Cluster, stand_in: StandIn) -> None:
    assert start(cluster, diamond()).wait(60) == "Succeeded"
    times = {name: [note["at"] for note in stand_in.notes(name)] for name in ("start", "left", "right", "join")}
    assert max(times["start"]) < min(times["left"] + times["right"])
    assert max(times["left"] + times["right"]) < min(times["join"])


def test_gangs_are_gone_afterwards(cluster: Cluster) -> None:
    assert start(cluster, diamond()).wait(60) == "Succeeded"
    assert [jobset.deleted for jobset in cluster.jobsets] == [True, True]


def test_a_failing_step_is_retried_and_then_fails_the_flow(cluster: Cluster, stand_in: StandIn) -> None:
    stand_in.fail("flaky", 2)
    stand_in.fail("broken", 9)
    workflow = start(cluster, plan(step("flaky", retries=2, retry_wait=5), step("broken", ["flaky"], retries=1)))
    assert workflow.wait(60) == "Failed"
    assert (stand_in.attempts("flaky"), stand_in.attempts("broken")) == (3, 2)


@pytest.mark.parametrize("retries", [0, 2])
def test_a_gang_is_retried_as_a_new_jobset(cluster: Cluster, stand_in: StandIn, retries: int) -> None:
    stand_in.fail("gang", retries)
    workflow = start(cluster, plan(step("gang", gang=2, retries=retries, retry_wait=1)))
    assert workflow.wait(60) == "Succeeded", workflow.describe()
    names = [jobset.name for jobset in cluster.jobsets]
    assert len(set(names)) == retries + 1
    suffix = r"-\d" if retries else ""
    assert all(re.fullmatch(rf"f[0-9a-f]{{16}}{suffix}", name) for name in names)


def test_stopping_removes_gangs(cluster: Cluster, stand_in: StandIn) -> None:
    hold = cluster.hold_pods(lambda pod: True)
    workflow = start(cluster, plan(step("gang", gang=2)))
    while not cluster.jobsets:
        pass
    workflow.stop()
    workflow.wait(60)
    hold.release()
    assert [jobset.deleted for jobset in cluster.jobsets] == [True]


def test_names_that_are_words_of_argos_expressions(cluster: Cluster, stand_in: StandIn) -> None:
    workflow = start(cluster, plan(step("matches"), step("let", ["matches"]), step("nil", ["let"])))
    assert workflow.wait(60) == "Succeeded", workflow.describe()
    assert stand_in.attempts("nil") == 1


def decoded(stand_in: StandIn, name: str) -> list[str]:
    [note] = stand_in.notes(name)
    return [base64.b64decode(slot).decode() for slot in note["env"]["FLOWC_PARAMS"].split(".")]


# Argo reads the arguments of a run for tags before anything else; an opening without an end is refused there.
SUBMITTED = [text for text in HOSTILE if "{{" not in text and "\x00" not in text]


@pytest.mark.parametrize("gang", [0, 1])
def test_submitted_text_arrives_byte_for_byte(cluster: Cluster, stand_in: StandIn, gang: int) -> None:
    params = {f"p{number}": text for number, text in enumerate(SUBMITTED)}
    declared = tuple(Param(name, "string", True, None) for name in params)
    workflow = start(cluster, plan(step("a", gang=gang), params=declared), **params)
    assert workflow.wait(60) == "Succeeded", workflow.describe()
    assert decoded(stand_in, "a") == list(params.values())


def test_tags_in_submitted_text_are_not_expanded(cluster: Cluster, stand_in: StandIn) -> None:
    of = plan(step("a"), params=(Param("p", "string", True, None),))
    workflow = start(cluster, of, p="{{workflow.name}}")
    assert workflow.wait(60) == "Succeeded", workflow.describe()
    assert decoded(stand_in, "a") == ["{{workflow.name}}"]


def test_defaults_arrive_or_are_left_to_the_plan(cluster: Cluster, stand_in: StandIn) -> None:
    declared = tuple(Param(f"p{number}", "string", False, text) for number, text in enumerate(HOSTILE))
    workflow = start(cluster, plan(step("a"), params=declared))
    assert workflow.wait(60) == "Succeeded", workflow.describe()
    for arrived, text in zip(decoded(stand_in, "a"), HOSTILE, strict=True):
        assert arrived in (text, "flowc:default")
