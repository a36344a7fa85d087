"""Control values: a decision's, a step's own, and the size of a gang.

Takes the plan, the run's record and the store; `decide` evaluates all control values of a decision on its instance's
path and commits them, `own_controls` gives those of a step from the outputs that it is about to commit, and `gang_size`
says how many nodes a gang has. All engines run decisions by this one function: the local engine in its own process, the
others as a small task (`python -m flowc.runtime decide NAME`). Refuses with `Stop` what has no value.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import tempfile
from pathlib import Path

from flowc.runtime import layout
from flowc.runtime.bundle import fetch_plan
from flowc.runtime.commit import Commit, Outputs, commit_done, read_commit
from flowc.runtime.errors import BAD_PLAN, STORE, Stop
from flowc.runtime.evaluate import ABSENT, evaluate, evaluate_control
from flowc.runtime.failures import record_failure
from flowc.runtime.gang import Cause
from flowc.runtime.identity import Identity
from flowc.runtime.plan import MOST_NODES, Control, Decision, Json, Plan, PlanError, Size, Step
from flowc.runtime.reader import StoreReader
from flowc.runtime.run_record import Run, ensure_run
from flowc.runtime.store import Store, StoreError
from flowc.runtime.values import BadValue

# An index list may be long.
_SHOWN = 500


def decide(plan: Plan, run: Run, store: Store, name: str, ix: str = "", attempt: str | None = None) -> Commit:
    """Commit the control values of this instance of a decision; gives the commit that counts, `done` or `failed`."""
    found = read_commit(store, run.flow, run.run, name, ix)
    if found is not None:
        return found
    try:
        node = plan.node(name)
    except PlanError as error:
        raise Stop(BAD_PLAN, str(error)) from None
    if not isinstance(node, Decision):
        raise Stop(BAD_PLAN, f"{name!r} is no decision of flow {plan.flow!r}")
    check_depth(plan, name, ix)
    control = _values(node.controls, plan, name, ix, StoreReader(plan, run, store, name, ix))
    attempt = attempt or f"decided-{secrets.token_hex(8)}"
    return commit_done(store, run.flow, run.run, name, attempt, "", control, ix=ix)


def run_decision(identity: Identity, store: Store) -> int:
    """The whole task of a decision; its exit code."""
    try:
        with tempfile.TemporaryDirectory(prefix="flowc-") as folder:
            plan = fetch_plan(store, identity.flow, identity.bundle, Path(folder))
        run = ensure_run(store, plan, identity)
        commit = decide(plan, run, store, identity.step, identity.ix, identity.attempt)
        if commit.status != "done":
            raise Stop(BAD_PLAN, f"it was given up: {commit.reason or 'its absence is on record'}")
        print(f"flowc: {identity.name}: {json.dumps(commit.control)[:_SHOWN]}", flush=True)  # noqa: T201 - the task's log
        return 0
    except Stop as stop:
        code, reason = stop.code, stop.message
    except StoreError as error:
        code, reason = STORE, str(error)
    message = f"decision {identity.name!r}: {reason}"
    with contextlib.suppress(StoreError):
        record_failure(store, identity, Cause(0, None, code, None, reason, (), 0.0), message)
    print(f"flowc: {message}", file=sys.stderr, flush=True)  # noqa: T201 - the task's log
    return code


def own_controls(plan: Plan, run: Run, store: Store, step: Step, ix: str, outputs: Outputs) -> dict[str, Json]:
    """The control values that the step itself computes, from its `outputs`."""
    return _values(step.controls, plan, step.name, ix, StoreReader(plan, run, store, step.name, ix, outputs))


def gang_size(plan: Plan, run: Run, store: Store, step: Step, ix: str) -> int:
    """The number of the step's nodes; `Stop` for a number that no gang can have.

    A recorded size is always one that can be started, see `plan.Size`. So what it was made from is evaluated again.
    """
    if step.gang is None or step.gang.decided is None:
        return step.nodes
    decided = step.gang.decided
    task = plan.node(decided.task)
    assert isinstance(task, Step | Decision)
    control = next((item for item in task.controls if item.name == decided.control), None)
    if not isinstance(control, Size):
        raise Stop(BAD_PLAN, f"{decided.task!r} does not compute the size of step {step.name!r}")
    path = layout.path_of(ix)[: plan.depth(decided.task)]
    # As the task that has decided it read it: what it found missing is missing for ever, and sealed.
    reader = StoreReader(plan, run, store, decided.task, layout.ix_of(path))
    try:
        size = evaluate(control.value, path, plan, reader, final=plan.is_final(decided.task))
    except (BadValue, PlanError) as error:
        raise Stop(BAD_PLAN, f"the number of nodes of step {step.name!r}: {error}") from None
    if size is ABSENT or not 1 <= size <= MOST_NODES:
        name = layout.instance_name(step.name, ix)
        raise Stop(BAD_PLAN, f"step {name!r} should run on {size} nodes; a gang has from 1 to {MOST_NODES:,}")
    assert isinstance(size, int)
    return size


def check_depth(plan: Plan, name: str, ix: str) -> None:
    """`Stop` unless the instance has one index for each loop around the task."""
    given, due = len(layout.path_of(ix)), plan.depth(name)
    if given != due:
        loops = "no loop" if due == 0 else "one loop" if due == 1 else f"{due} loops"
        raise Stop(BAD_PLAN, f"{name!r} stands in {loops}, and --ix gives {given} indexes ({ix or 'none'})")


def _values(controls: tuple[Control, ...], plan: Plan, name: str, ix: str, reader: StoreReader) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for control in controls:
        try:
            found[control.name] = evaluate_control(control, layout.path_of(ix), plan, reader, final=plan.is_final(name))
        except (BadValue, PlanError) as error:
            raise Stop(BAD_PLAN, f"what {layout.instance_name(name, ix)!r} decides: {error}") from None
    return found
