"""What a body sees of its step, from Python: `from flowc.runtime import current`.

`current.inputs.NAME` is a value of its declared type, or a `Path` for a file or folder. `current.outputs.NAME` is the
path to write an output to; assigning a scalar or a list (`current.outputs.loss = 0.3`) writes it. `current.cluster`
tells a gang's shape. `run_id`, `step`, `attempt` and `flow` are strings.

Needs the standard library alone, so that it works in any image and costs nothing beside torch or ray. Outside a step
every access says so instead of failing with a missing variable.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flowc.runtime.values import BadValue, element_type, from_json, is_artifact, to_json, to_text

# Beside the outputs: artifacts that keep the name their maker gave them, as NAMED/OUTPUT/NAME.
NAMED = ".named"


class NotInAStep(RuntimeError):
    """`current` was used in a process that no flowc step started."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The gang this process belongs to; a step without `parallel` is a cluster of one node.

    `node_index` counts from 0, `addresses` are IP addresses in node order, `main_address` is the first of them.
    """

    node_index: int
    num_nodes: int
    main_address: str
    addresses: tuple[str, ...]

    @property
    def is_main(self) -> bool:
        return self.node_index == 0


class Inputs:
    """The step's inputs as attributes, or by name: `inputs["epochs"]`; iterating gives the names."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        known = ", ".join(self.__dict__) or "none"
        raise AttributeError(f"this step has no input {name!r}; its inputs: {known}")

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __iter__(self) -> Any:
        return iter(self.__dict__)


class Outputs:
    """The step's outputs: read an attribute for the path to write to, assign to write a scalar or a list."""

    def __init__(self, types: dict[str, str], folder: Path) -> None:
        self.__dict__["_types"] = types
        self.__dict__["_folder"] = folder

    def __getattr__(self, name: str) -> Path:
        self._type(name)
        return Path(self.__dict__["_folder"]) / name

    def __setattr__(self, name: str, value: Any) -> None:
        type_ = self._type(name)
        if is_artifact(type_):
            raise TypeError(f"output {name!r} is a {type_}: write to the path current.outputs.{name} instead")
        try:
            text = encode_output(type_, value)
        except BadValue as error:
            raise TypeError(f"output {name!r}: {error}") from None
        getattr(self, name).write_text(text, encoding="utf-8")

    def _type(self, name: str) -> str:
        types: dict[str, str] = self.__dict__["_types"]
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in types:
            raise AttributeError(f"this step has no output {name!r}; its outputs: {', '.join(types) or 'none'}")
        return types[name]


def encode_output(type_: str, value: Any) -> str:
    """What a value looks like in an output's file: text for scalars, JSON for lists."""
    data = to_json(type_, value)
    if element_type(type_) is not None:
        return json.dumps(data, ensure_ascii=False)
    # One trailing newline is dropped when a string is read back, so one is added for the value to survive.
    return to_text(type_, from_json(type_, data)) + "\n"


class Current:
    """The step that this process belongs to."""

    @property
    def flow(self) -> str:
        return str(_context()["flow"])

    @property
    def run_id(self) -> str:
        return str(_context()["run"])

    @property
    def step(self) -> str:
        return str(_context()["step"])

    @property
    def attempt(self) -> str:
        return str(_context()["attempt"])

    @property
    def inputs(self) -> Inputs:
        return _inputs()

    @property
    def outputs(self) -> Outputs:
        folder = os.environ.get("FLOWC_OUT_DIR")
        if folder is None:
            raise NotInAStep("this process has no outputs: it was not started as the body of a flowc step")
        return Outputs(_context()["outputs"], Path(folder))

    @property
    def cluster(self) -> Cluster:
        cluster = _context()["cluster"]
        return Cluster(cluster["node"], cluster["nodes"], cluster["addresses"][0], tuple(cluster["addresses"]))


@cache
def _context() -> dict[str, Any]:
    path = os.environ.get("FLOWC_CONTEXT")
    if path is None:
        raise NotInAStep("`current` works only inside a step: start the flow with `flowc run FILE.flow`")
    context: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return context


@cache
def _inputs() -> Inputs:
    values: dict[str, Any] = {}
    for name, entry in _context()["inputs"].items():
        if "path" in entry:
            values[name] = Path(entry["path"])
        elif "paths" in entry:
            values[name] = [Path(path) for path in entry["paths"]]
        else:
            values[name] = from_json(entry["type"], entry["value"])
    return Inputs(values)


current = Current()
