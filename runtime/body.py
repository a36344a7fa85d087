"""The body of a step on this node: its inputs, its working folder and its command line.

`prepare` fetches the inputs and writes what the body's processes need: the context that `current` reads and, for
scripts, the script itself. User text reaches a process as an argv element, an environment variable or a file, never
through a shell's or a template's eyes.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowc.runtime import plan
from flowc.runtime.artifacts import Artifact, fetch, publish
from flowc.runtime.commit import read_commit, read_outputs
from flowc.runtime.errors import BAD_PLAN, Stop
from flowc.runtime.identity import Identity
from flowc.runtime.run_record import Run
from flowc.runtime.store import Store
from flowc.runtime.user_api import NAMED
from flowc.runtime.values import BadValue, element_type, from_json, is_artifact, parse_text, to_json, to_text

# Where a rank's trampoline lies; it is run as a script, without importing this package.
TRAMPOLINE = Path(__file__).with_name("rank.py")
# Variables that are the supervisor's own business: a body must not come to depend on them.
_INTERNAL = ("FLOWC_LIFELINE_FD", "FLOWC_STORE", "FLOWC_PARAMS", "FLOWC_POD_UID", "FLOWC_JOBSET_UID")


@dataclass(frozen=True, slots=True)
class OutPath:
    """An output's path in argv: known only to the rank that writes it."""

    name: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """This node's scratch folder. `code` holds the bundle and is the body's working directory."""

    root: Path

    @property
    def code(self) -> Path:
        return self.root / "code"

    @property
    def inputs(self) -> Path:
        return self.root / "in"

    @property
    def outputs(self) -> Path:
        """Below it one folder per local rank."""
        return self.root / "out"

    @property
    def scratch(self) -> Path:
        """For files of a launcher that are nobody's output."""
        return self.root / "scratch"

    @property
    def context(self) -> Path:
        return self.root / "context.json"

    @property
    def launch(self) -> Path:
        return self.root / "launch.json"

    @property
    def socket(self) -> Path:
        return self.root / "ranks"


@dataclass(frozen=True, slots=True)
class Body:
    """What to start: argv with open output paths, the environment, and the Python that runs user code."""

    argv: tuple[str | OutPath, ...]
    env: Mapping[str, str]
    python: str
    script_outputs: tuple[str, ...]

    def argv_for(self, out_dir: Path) -> tuple[str, ...]:
        return tuple(part if isinstance(part, str) else str(out_dir / part.name) for part in self.argv)

    def env_for(self, out_dir: Path) -> dict[str, str]:
        return {"FLOWC_OUT_DIR": str(out_dir)} | {f"out_{name}": str(out_dir / name) for name in self.script_outputs}


@dataclass(frozen=True, slots=True)
class Value:
    """An input's value: a Python value, or the local path of an artifact."""

    type: str
    value: Any
    path: Path | None


def fetch_inputs(step: plan.Step, run: Run, store: Store, workspace: Workspace) -> dict[str, Value]:
    """Every input of the step, files and folders brought to this node."""
    committed: dict[str, Mapping[str, Mapping[str, Any]]] = {}
    values: dict[str, Value] = {}
    for item in step.inputs:
        source = item.source
        if isinstance(source, plan.FromStep):
            if source.step not in committed:
                committed[source.step] = _outputs_of(store, run, source.step)
            record = committed[source.step].get(source.output)
            if record is None:
                raise Stop(BAD_PLAN, f"step {source.step!r} committed no output {source.output!r}")
            values[item.name] = _value_of(record, item, store, run.flow, workspace)
            continue
        data = run.params[source.name] if isinstance(source, plan.FromParam) else source.value
        try:
            values[item.name] = Value(item.type, from_json(item.type, data), None)
        except BadValue as error:
            raise Stop(BAD_PLAN, f"input {item.name!r}: {error}") from None
    return values


def prepare(
    step: plan.Step, identity: Identity, values: Mapping[str, Value], addresses: tuple[str, ...], workspace: Workspace
) -> Body:
    """Write the body's files and give what to start."""
    context = {
        "flow": identity.flow,
        "run": identity.run,
        "step": identity.step,
        "attempt": identity.attempt,
        "inputs": {name: _context_entry(value) for name, value in values.items()},
        "outputs": {output.name: output.type for output in step.outputs},
        "cluster": {"node": identity.node, "nodes": identity.nodes, "addresses": list(addresses)},
    }
    workspace.context.write_text(json.dumps(context), encoding="utf-8")
    python = _python()
    is_script = isinstance(step.body, plan.Script)
    env = _environment(step, identity, values, addresses, workspace)
    if is_script:
        env |= {f"in_{name}": _script_value(name, value, workspace) for name, value in values.items()}
    return Body(
        argv=_argv(step, identity, values, workspace, python),
        env=env,
        python=python,
        script_outputs=tuple(output.name for output in step.outputs) if is_script else (),
    )


def publish_outputs(step: plan.Step, store: Store, flow: str, out_dir: Path) -> dict[str, dict[str, Any]]:
    """Read what the body wrote for every output and store it; gives the outputs document's entries."""
    return {output.name: _publish(output, store, flow, out_dir) for output in step.outputs}


def _publish(output: plan.Output, store: Store, flow: str, out_dir: Path) -> dict[str, Any]:
    what = f"output {output.name!r}"
    path = out_dir / output.name
    if is_artifact(output.type):
        named = out_dir / NAMED / output.name
        path = next(named.iterdir(), path) if named.is_dir() else path
        return publish(store, flow, output.type, path, what).to_json()
    try:
        # As bytes: in text mode a carriage return would be read as the end of a line.
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise Stop(
            BAD_PLAN, f"{what} ({output.type}) was not written: the body ended well but left no value at its path"
        ) from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise Stop(BAD_PLAN, f"{what} ({output.type}) is not a text file in UTF-8") from None
    try:
        value = parse_text(output.type, text.removesuffix("\n") if output.type == "string" else text)
    except BadValue as error:
        raise Stop(BAD_PLAN, f"{what}: {error}") from None
    return {"type": output.type, "value": to_json(output.type, value)}


def _outputs_of(store: Store, run: Run, step: str) -> Mapping[str, Mapping[str, Any]]:
    commit = read_commit(store, run.flow, run.run, step)
    if commit is None or commit.status != "done":
        raise Stop(BAD_PLAN, f"step {step!r} has not committed, and this step needs its outputs")
    return read_outputs(store, run.flow, step, commit)


def _value_of(record: Mapping[str, Any], item: plan.Input, store: Store, flow: str, workspace: Workspace) -> Value:
    if is_artifact(item.type):
        artifact = Artifact(item.type, record["blob"], record["size"], record["name"])
        return Value(item.type, None, fetch(store, flow, artifact, workspace.inputs / item.name))
    value = from_json(record["type"], record["value"])
    return Value(item.type, float(value) if item.type == "float" else value, None)


def _context_entry(value: Value) -> dict[str, Any]:
    if value.path is not None:
        return {"type": value.type, "path": str(value.path)}
    return {"type": value.type, "value": to_json(value.type, value.value)}


def _argv(
    step: plan.Step, identity: Identity, values: Mapping[str, Value], workspace: Workspace, python: str
) -> tuple[str | OutPath, ...]:
    body = step.body
    if isinstance(body, plan.Call):
        return (python, "-u", "-m", "flowc.runtime.call", body.target, body.function)
    if isinstance(body, plan.Script):
        path = workspace.root / f"script.{'sh' if body.language == 'bash' else 'py'}"
        path.write_text(body.text, encoding="utf-8")
        # A failing command in the middle of a script must not end as success.
        return ("bash", "-e", "-o", "pipefail", str(path)) if body.language == "bash" else (python, "-u", str(path))
    argv: list[str | OutPath] = []
    for operand in body.argv:
        argv += _arguments(operand, identity, values)
    if step.gang is not None and isinstance(step.gang.framework, plan.Torchrun):
        return (python, "-u", *argv)
    return tuple(argv)


def _arguments(operand: plan.Operand, identity: Identity, values: Mapping[str, Value]) -> list[str | OutPath]:
    if isinstance(operand, plan.OutRef):
        return [OutPath(operand.name)]
    if isinstance(operand, plan.RunId):
        return [identity.run]
    if isinstance(operand, plan.Const):
        return [_literal_text(operand.value)]
    value = values[operand.name]
    inner = element_type(value.type)
    if value.path is not None:
        return [str(value.path)]
    if inner is not None:
        return [to_text(inner, item) for item in value.value]
    return [to_text(value.type, value.value)]


def _literal_text(value: plan.Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def _environment(
    step: plan.Step,
    identity: Identity,
    values: Mapping[str, Value],
    addresses: tuple[str, ...],
    workspace: Workspace,
) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name not in _INTERNAL}
    env |= {
        "FLOWC_CONTEXT": str(workspace.context),
        "FLOWC_LAUNCH": str(workspace.launch),
        "FLOWC_RUN": identity.run,
        "FLOWC_STEP": identity.step,
        "FLOWC_NODE_INDEX": str(identity.node),
        "FLOWC_NUM_NODES": str(identity.nodes),
        "FLOWC_MAIN_ADDRESS": addresses[0],
        "FLOWC_ADDRESSES": ",".join(addresses),
        "PYTHONUNBUFFERED": "1",
    }
    # A Python script in the scratch folder imports the user's modules as if it stood beside them.
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(workspace.code), env.get("PYTHONPATH")]))
    for variable in step.env:
        [part] = _arguments(variable.value, identity, values)
        assert isinstance(part, str)
        env[variable.name] = part
    return env


def _script_value(name: str, value: Value, workspace: Workspace) -> str:
    """What `$in_NAME` holds: a scalar's text, an artifact's path, or the path of a JSON file for a list."""
    if value.path is not None:
        return str(value.path)
    if element_type(value.type) is None:
        return to_text(value.type, value.value)
    path = workspace.inputs / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_text(value.type, value.value), encoding="utf-8")
    return str(path)


def _python() -> str:
    """The Python of the image that the step runs in; the supervisor may have one of its own."""
    return shutil.which("python") or shutil.which("python3") or sys.executable
