"""What a body sees of its step, from Python: `from flowc.runtime import current`.

`current.inputs.NAME` is a value of its declared type, or a `Path` for a file or folder. `current.outputs.NAME` is the
path to write an output to; assigning a value (`current.outputs.loss = 0.3`) writes it. `current.cluster`
tells a gang's shape. `run_id`, `step`, `attempt` and `flow` are strings. `index` is the path of the loops around the
step, outermost first: the place of the item in its list or the number of the turn, from 0.

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

from flowc.runtime.values import BadValue, from_json, is_artifact, items_type, leaf_type, to_json, to_text

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
    """The step's outputs: read an attribute for the path to write to, assign to write a value."""

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
            data = encode_output(type_, value)
        except BadValue as error:
            raise TypeError(f"output {name!r}: {error}") from None
        getattr(self, name).write_bytes(data)

    def _type(self, name: str) -> str:
        types: dict[str, str] = self.__dict__["_types"]
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in types:
            raise AttributeError(f"this step has no output {name!r}; its outputs: {', '.join(types) or 'none'}")
        return types[name]


def encode_output(type_: str, value: Any) -> bytes:
    """What a value looks like in an output's file: text for scalars, JSON for lists and json, or a pickle."""
    if type_ == "pickle":
        return _pickled(value)
    data = to_json(type_, value)
    if type_ == "json" or items_type(type_) is not None:
        return json.dumps(data, ensure_ascii=False).encode()
    # One trailing newline is dropped when a string is read back, so one is added for the value to survive.
    return f"{to_text(type_, from_json(type_, data))}\n".encode()


def _pickled(value: Any) -> bytes:
    import pickle

    try:
        return pickle.dumps(value)
    except Exception as error:  # whatever the value's own classes raise
        raise BadValue(f"a {type(value).__name__} cannot be pickled: {error}") from None


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
    def index(self) -> tuple[int, ...]:
        return tuple(_context()["index"])

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
        if "paths" in entry:
            values[name] = _read(entry["paths"], pickled=leaf_type(entry["type"]) == "pickle")
        else:
            values[name] = from_json(entry["type"], entry["value"])
    return Inputs(values)


def _read(paths: Any, *, pickled: bool) -> Any:
    """Paths, or what they hold, in lists as they stand."""
    if isinstance(paths, list):
        return [_read(path, pickled=pickled) for path in paths]
    if not pickled:
        return Path(paths)
    import pickle

    # Whoever may write to the store is trusted: the code that runs here comes from there too.
    return pickle.loads(Path(paths).read_bytes())  # noqa: S301


current = Current()
