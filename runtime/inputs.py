"""The inputs of a step on this node: evaluated, checked against their types, and their files brought here.

`fetch_inputs` gives a `Value` per input. What a flow says of values is `flowc.runtime.evaluate`'s business; this module
is its reader: parameters come from the run's record, outputs from the commits of other steps. Refuses with `Stop` what
is not of the input's type, and a step that has not committed though this one needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowc.runtime import evaluate, plan
from flowc.runtime.artifacts import Artifact, fetch
from flowc.runtime.commit import Outputs, read_commit, read_outputs
from flowc.runtime.errors import BAD_PLAN, Stop
from flowc.runtime.run_record import Run
from flowc.runtime.store import Store
from flowc.runtime.values import BadValue, from_json, is_blob, items_type, leaf_type


@dataclass(frozen=True, slots=True)
class Value:
    """An input's value: a Python value, where files and folders (and pickles, which are files) are local paths."""

    type: str
    value: Any


def fetch_inputs(step: plan.Step, of: plan.Plan, run: Run, store: Store, folder: Path) -> dict[str, Value]:
    """Every input of the step; files and folders lie below `folder`."""
    reader = _Reader(of, run, store)
    values: dict[str, Value] = {}
    for item in step.inputs:
        try:
            found = evaluate.evaluate(item.value, (), of, reader)
            if found is evaluate.ABSENT:
                raise Stop(BAD_PLAN, f"input {item.name!r} has no value: nothing that it could be read from exists")
            values[item.name] = Value(item.type, _local(item.type, found, store, run.flow, folder / item.name))
        except (BadValue, plan.PlanError) as error:
            raise Stop(BAD_PLAN, f"input {item.name!r}: {error}") from None
    return values


def _local(type_: str, value: Any, store: Store, flow: str, folder: Path) -> Any:
    """The value as the body sees it. Each file of a list has a folder of its own, since names may be equal."""
    if not is_blob(leaf_type(type_)):
        return from_json(type_, value)
    if isinstance(value, Artifact) and value.type == type_:
        return fetch(store, flow, value, folder)
    inner = items_type(type_)
    if inner is None or not isinstance(value, list):
        raise BadValue(f"expected {type_}, found {value.type if isinstance(value, Artifact) else 'something else'}")
    return [_local(inner, item, store, flow, folder / str(index)) for index, item in enumerate(value)]


class _Reader:
    """See `evaluate.Reader`."""

    def __init__(self, of: plan.Plan, run: Run, store: Store) -> None:
        self._run = run
        self._store = store
        self._types = {param.name: param.type for param in of.params}
        self._outputs: dict[str, Outputs | None] = {}

    def param(self, name: str) -> Any:
        return from_json(self._types[name], self._run.params[name])

    def run_value(self, name: str) -> str:
        if name != "id":
            raise plan.PlanError(f"run.{name} is not known before the end of the run")
        return self._run.run

    def has_outputs(self, step: str, path: evaluate.Path) -> bool:  # noqa: ARG002 - there is one instance so far
        return self._of(step) is not None

    def output(self, step: str, path: evaluate.Path, output: str, *, each: bool) -> Any:  # noqa: ARG002 - as above
        outputs = self._of(step)
        if outputs is None:
            raise Stop(BAD_PLAN, f"step {step!r} has not committed, and this step needs its outputs")
        if output not in outputs:
            raise Stop(BAD_PLAN, f"step {step!r} committed no output {output!r}")
        return _value_of(outputs[output])

    def control(self, task: str, path: evaluate.Path, name: str) -> Any:  # noqa: ARG002 - nothing computes any so far
        raise plan.PlanError(f"the control value {name!r} of {task!r} is not recorded by this version")

    def _of(self, step: str) -> Outputs | None:
        if step not in self._outputs:
            commit = read_commit(self._store, self._run.flow, self._run.run, step)
            done = commit is not None and commit.status == "done"
            found = read_outputs(self._store, self._run.flow, step, commit) if commit is not None and done else None
            self._outputs[step] = found
        return self._outputs[step]


def _value_of(record: Mapping[str, Any]) -> Any:
    if is_blob(record["type"]):
        return Artifact(record["type"], record["blob"], record["size"], record["name"])
    return from_json(record["type"], record["value"])
