"""The state machine: the flow's structure in the Amazon States Language (Standard, JSONPath).

Takes a `Build` and its `Structure`; gives the definition as plain data with marks in its text. The first state puts
the execution's input where the tasks find it, and makes `$` what it stays to the end: `{"run": <execution name>}`.
No result of a task is kept, so no payload limit applies. `$$.Execution.Name` is read nowhere else.

A flow with a timeout runs as one branch beside a clock. Whichever ends first fails on purpose and thereby cancels the
other: a failed branch makes Step Functions terminate its sibling's jobs, which a state machine's own TimeoutSeconds
does not. The flow's end, `flowc.Finished`, is then caught.
"""

from __future__ import annotations

from collections import deque
from itertools import count

from flowc.compiler.model import Build
from flowc.runtime.plan import Step

from . import names
from .emit_jobs import Doc
from .structure import Leaf, Series, Split, Structure, Tree

RUN = {"run.$": "$.run"}

# Faults of the services, not of the job: throttling, an outage. Waits of up to a minute, spread out.
_SERVICE_RETRY: Doc = {"IntervalSeconds": 2, "MaxAttempts": 6, "BackoffRate": 2, "MaxDelaySeconds": 60}
_SPREAD: Doc = {"JitterStrategy": "FULL"}


def state_machine(build: Build, structure: Structure) -> Doc:
    comment = f"flow {build.plan.flow} from {names.plain(build.source_name)}, bundle {build.bundle_digest}"
    first = _record_input(build)
    flow = _flow(build, structure.tree)
    if build.plan.timeout is None:
        states = {names.RECORD_INPUT: first | {"Next": flow["StartAt"]}, **flow["States"]}
    else:
        states = {names.RECORD_INPUT: first | {"Next": names.WITHIN_TIMEOUT}, **_limited(flow, build.plan.timeout)}
    return {"Comment": comment, "StartAt": names.RECORD_INPUT, "States": states}


def _record_input(build: Build) -> Doc:
    key = f"${{StorePrefix}}{build.plan.flow}/{{}}/input.json"
    return {
        "Type": "Task",
        "Resource": "${PutObject}",
        "Parameters": {
            "Bucket": "${StoreBucket}",
            "Key.$": f"States.Format('{key}', $$.Execution.Name)",
            # SDK integrations write the JSON text of what stands here.
            "Body.$": "$$.Execution.Input",
        },
        "ResultSelector": {"run.$": "$$.Execution.Name"},
        # Writing the same object twice is harmless.
        "Retry": [{"ErrorEquals": ["States.TaskFailed"], **_SERVICE_RETRY, **_SPREAD}],
    }


def _flow(build: Build, tree: Tree) -> Doc:
    """`StartAt` and `States` of the flow. Branches wait in a queue, so nesting costs no recursion."""
    forks = count(1)
    steps = {step.name: step for step in build.plan.steps}
    top: Doc = {"StartAt": "", "States": {}}
    queue: deque[tuple[Doc, Tree]] = deque([(top, tree)])
    while queue:
        branch, part = queue.popleft()
        items = part.items if isinstance(part, Series) else (part,)
        states: dict[str, Doc] = branch["States"]
        previous: Doc | None = None
        for item in items:
            name, state = _leaf(build, steps[item.name]) if isinstance(item, Leaf) else _fork(next(forks), item, queue)
            if previous is None:
                branch["StartAt"] = name
            else:
                previous["Next"] = name
            states[name] = previous = state
        assert previous is not None
        previous["End"] = True
    return top


def _leaf(build: Build, step: Step) -> tuple[str, Doc]:
    return names.state_name(step.name), {
        "Type": "Task",
        "Resource": "${SubmitJob}",
        "Parameters": {
            "JobName": names.job_name(build.plan.flow, step.name),
            "JobQueue": "${JobQueue}",
            "JobDefinition": f"${{{names.logical_id(step.name)}}}",
            "Parameters": RUN,
            "Tags": {"flowc:run.$": "$.run"},
        },
        "ResultPath": None,
        "Retry": _retriers(step),
    }


def _retriers(step: Step) -> list[Doc]:
    """The first that matches counts, and `States.TaskFailed` matches nearly everything, so it is the last."""
    service: Doc = {"ErrorEquals": ["Batch.ServerException", "Batch.AWSBatchException"], **_SERVICE_RETRY, **_SPREAD}
    if not step.settings.retries:
        return [service]
    return [
        # A wrong request stays wrong.
        {"ErrorEquals": ["Batch.ClientException"], "MaxAttempts": 0},
        service,
        {
            "ErrorEquals": ["States.TaskFailed"],
            # The language of states knows no wait of 0.
            "IntervalSeconds": max(1, step.settings.retry_wait),
            "MaxAttempts": step.settings.retries,
            "BackoffRate": 2 if step.settings.retry_wait else 1,
        },
    ]


def _fork(number: int, split: Tree, queue: deque[tuple[Doc, Tree]]) -> tuple[str, Doc]:
    assert isinstance(split, Split)
    branches: list[Doc] = []
    for tree in split.branches:
        branches.append({"StartAt": "", "States": {}})
        queue.append((branches[-1], tree))
    return names.fork_name(number), {"Type": "Parallel", "Branches": branches, "ResultPath": None}


def _limited(flow: Doc, seconds: int) -> Doc:
    """The flow beside a clock; see the module's text."""
    for state in flow["States"].values():
        if state.pop("End", False):
            state["Next"] = names.FINISHED
    finished = {"Type": "Fail", "Error": names.ERROR_FINISHED, "Cause": "The flow has finished; this ends its clock."}
    timed_out = {
        "Type": "Fail",
        "Error": names.ERROR_TIMED_OUT,
        "Cause": f"The flow did not finish within its timeout of {seconds} seconds.",
    }
    clock = {
        "StartAt": names.TIME_LIMIT,
        "States": {
            names.TIME_LIMIT: {"Type": "Wait", "Seconds": seconds, "Next": names.TIMED_OUT},
            names.TIMED_OUT: timed_out,
        },
    }
    return {
        names.WITHIN_TIMEOUT: {
            "Type": "Parallel",
            "Branches": [{**flow, "States": {**flow["States"], names.FINISHED: finished}}, clock],
            "ResultPath": None,
            "Catch": [{"ErrorEquals": [names.ERROR_FINISHED], "ResultPath": None, "Next": names.DONE}],
            "Next": names.DONE,
        },
        names.DONE: {"Type": "Succeed"},
    }
