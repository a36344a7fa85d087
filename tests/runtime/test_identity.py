"""Identity from each platform's documented variables."""

from __future__ import annotations

import pytest

from flowc.runtime.__main__ import main
from flowc.runtime.errors import Stop
from flowc.runtime.identity import Identity, identify, interface_of, own_address

COMMON = {
    "FLOWC_STORE": "s3://bucket/prefix",
    "FLOWC_FLOW": "digits",
    "FLOWC_RUN": "run-1",
    "FLOWC_BUNDLE": "ab" * 32,
}
ARGO_POD = COMMON | {"FLOWC_ENGINE": "argo", "FLOWC_POD_UID": "11-22", "FLOWC_ADDRESS": "10.0.0.7"}
ARGO_GANG = ARGO_POD | {
    "FLOWC_NODES": "4",
    "FLOWC_JOBSET_UID": "33-44",
    "FLOWC_JOBSET_RESTART": "2",
    "JOB_COMPLETION_INDEX": "3",
}
BATCH_JOB = COMMON | {"FLOWC_ENGINE": "batch", "AWS_BATCH_JOB_ID": "aa-bb", "AWS_BATCH_JOB_ATTEMPT": "1"}
BATCH_MAIN = BATCH_JOB | {
    "AWS_BATCH_JOB_ID": "aa-bb#0",
    "AWS_BATCH_JOB_NODE_INDEX": "0",
    "AWS_BATCH_JOB_NUM_NODES": "4",
    "AWS_BATCH_JOB_MAIN_NODE_INDEX": "0",
}
BATCH_CHILD = BATCH_MAIN | {
    "AWS_BATCH_JOB_ID": "aa-bb#3",
    "AWS_BATCH_JOB_NODE_INDEX": "3",
    "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS": "10.0.0.1",
}
LOCAL = COMMON | {"FLOWC_ENGINE": "local", "FLOWC_ATTEMPT": "x1", "FLOWC_NODE": "1", "FLOWC_NODES": "2"}


def of(env: dict[str, str], run: str | None = None) -> Identity:
    return identify("train", run, env)


@pytest.mark.parametrize(
    ("env", "attempt", "node", "nodes"),
    [
        (LOCAL, "x1", 1, 2),
        (ARGO_POD, "pod-11-22", 0, 1),
        (ARGO_GANG, "js-33-44-2", 3, 4),
        (BATCH_JOB, "batch-aa-bb-1", 0, 1),
        (BATCH_MAIN, "batch-aa-bb-1", 0, 4),
        (BATCH_CHILD, "batch-aa-bb-1", 3, 4),
    ],
)
def test_each_platform_says_who_this_node_is(env: dict[str, str], attempt: str, node: int, nodes: int) -> None:
    found = of(env)

    assert (found.attempt, found.node, found.nodes) == (attempt, node, nodes)


def test_all_nodes_of_a_batch_job_share_the_attempt_and_a_resubmitted_job_does_not() -> None:
    again = {**BATCH_MAIN, "AWS_BATCH_JOB_ID": "cc-dd#0"}  # counts its attempts from 1 again

    assert of(BATCH_MAIN).attempt == of(BATCH_CHILD).attempt
    assert of(again).attempt != of(BATCH_MAIN).attempt


def test_a_restarted_jobset_is_another_attempt() -> None:
    assert of(ARGO_GANG).attempt != of({**ARGO_GANG, "FLOWC_JOBSET_RESTART": "3"}).attempt


def test_batch_hands_the_run_over_on_the_command_line() -> None:
    env = {name: value for name, value in BATCH_JOB.items() if name != "FLOWC_RUN"}

    assert of(env, "exec-7").run == "exec-7"


@pytest.mark.parametrize("name", sorted(set(ARGO_GANG) - {"FLOWC_ADDRESS", "FLOWC_POD_UID", "FLOWC_JOBSET_RESTART"}))
def test_a_missing_variable_is_named(name: str) -> None:
    env = {key: value for key, value in ARGO_GANG.items() if key != name}
    if name == "FLOWC_JOBSET_UID":
        env.pop("FLOWC_POD_UID")  # without the label it is taken for a plain pod, which has a uid

    with pytest.raises(Stop) as stop:
        of(env)

    assert stop.value.code == 64
    assert name in stop.value.message or (name == "FLOWC_JOBSET_UID" and "FLOWC_POD_UID" in stop.value.message)


@pytest.mark.parametrize("run", ["", "a/b", "..", "a b", "$(x)", "é", "a\n", "-x", "x" * 129])
def test_a_run_id_that_could_be_read_as_anything_else_is_refused(run: str) -> None:
    with pytest.raises(Stop):
        of({**LOCAL, "FLOWC_RUN": run})


def test_an_instance_is_named_by_its_indexes() -> None:
    found = identify("train", None, LOCAL, "3.0")

    assert (found.ix, found.path, found.name) == ("3.0", (3, 0), "train[3][0]")
    assert (of(LOCAL).ix, of(LOCAL).path, of(LOCAL).name) == ("", (), "train")


@pytest.mark.parametrize("ix", [".", "3.", ".3", "3..0", "03", "3.00", "3 ", " 3", "3/0", "+3", "-3", "٣", "3\n", "x"])
def test_what_is_more_than_digits_and_dots_is_no_index(ix: str) -> None:
    with pytest.raises(Stop, match=r"--ix is .*; it holds numbers with dots between them"):
        identify("train", None, LOCAL, ix)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["step"],
        ["stop", "train"],
        ["step", "train", "--ix"],
        ["step", "train", "--index", "3"],
        ["step", "train", "3"],
        ["decide", "train", "--ix", "3", "--ix", "4"],
    ],
)
def test_a_wrong_call_is_answered_with_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 64
    assert "usage: python -m flowc.runtime (step | decide) NAME [--run RUN] [--ix INDEXES]" in capsys.readouterr().err


def test_a_node_outside_its_gang_is_refused() -> None:
    with pytest.raises(Stop, match="node 4 of a gang of 4"):
        of({**ARGO_GANG, "JOB_COMPLETION_INDEX": "4"})


def test_the_address_given_by_the_platform_counts() -> None:
    assert own_address(of(ARGO_GANG)) == "10.0.0.7"


def test_without_one_the_interfaces_decide() -> None:
    address = own_address(of(BATCH_MAIN))

    assert interface_of(address) is not None


def test_the_whole_loopback_range_is_on_its_interface() -> None:
    assert interface_of("127.77.1.2") == interface_of("127.0.0.1")
