"""The inputs of a step on this node: evaluated, checked against their types, and their files brought here.

`fetch_inputs` gives a `Value` per input, read on the path of the step's instance. What a flow says of values is
`flowc.runtime.evaluate`'s business, where they lie that of `flowc.runtime.reader`. Refuses with `Stop` what is not of
the input's type, and what has no value.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowc.runtime import evaluate, layout, plan
from flowc.runtime.artifacts import PARALLEL, Artifact, fetch
from flowc.runtime.errors import BAD_PLAN, Stop
from flowc.runtime.reader import StoreReader
from flowc.runtime.run_record import Run
from flowc.runtime.store import Store
from flowc.runtime.values import BadValue, from_json, is_blob, items_type, leaf_type


@dataclass(frozen=True, slots=True)
class Value:
    """An input's value: a Python value, where files and folders (and pickles, which are files) are local paths."""

    type: str
    value: Any


def fetch_inputs(
    step: plan.Step, of: plan.Plan, run: Run, store: Store, folder: Path, ix: str = ""
) -> dict[str, Value]:
    """Every input of this instance of the step; files and folders lie below `folder`."""
    reader = StoreReader(of, run, store, step.name, ix)
    path, final = layout.path_of(ix), of.is_final(step.name)
    values: dict[str, Value] = {}
    for item in step.inputs:
        try:
            found = evaluate.evaluate(item.value, path, of, reader, final=final)
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
    places = [folder / str(index) for index in range(len(value))]

    def local(item: Any, place: Path) -> Any:
        return _local(inner, item, store, flow, place)

    if items_type(inner) is not None or inner == "dir":  # whose files come in parallel already
        return list(map(local, value, places))
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(local, value, places))
