"""The body of a step on this node: its working folder, its command line and its outputs.

`prepare` takes the inputs and writes what the body's processes need: the context that `current` reads and, for
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
from typing import Any, TypeAlias

from flowc.runtime import plan
from flowc.runtime.artifacts import publish
from flowc.runtime.errors import BAD_PLAN, Stop
from flowc.runtime.identity import Identity
from flowc.runtime.inputs import Value
from flowc.runtime.store import Store
from flowc.runtime.user_api import NAMED
from flowc.runtime.values import BadValue, is_blob, items_type, leaf_type, parse_text, to_json, to_text

# Where a rank's trampoline lies; it is run as a script, without importing this package.
TRAMPOLINE = Path(__file__).with_name("rank.py")
# Variables that are the supervisor's own business: a body must not come to depend on them.
_INTERNAL = ("FLOWC_LIFELINE_FD", "FLOWC_STORE", "FLOWC_PARAMS", "FLOWC_POD_UID", "FLOWC_JOBSET_UID")


@dataclass(frozen=True, slots=True)
class OutPath:
    """An output's path: known only to the rank that writes it."""

    name: str


# An argument, or the value of a variable: a text, and one that may hold output paths.
Part: TypeAlias = "str | tuple[str | OutPath, ...]"


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
    """What to start: argv, the environment, and the Python that runs user code.

    `open_env` are the variables that hold output paths.
    """

    argv: tuple[Part, ...]
    env: Mapping[str, str]
    open_env: Mapping[str, Part]
    python: str

    def argv_for(self, out_dir: Path) -> tuple[str, ...]:
        return tuple(_filled(part, out_dir) for part in self.argv)

    def env_for(self, out_dir: Path) -> dict[str, str]:
        return {"FLOWC_OUT_DIR": str(out_dir)} | {name: _filled(part, out_dir) for name, part in self.open_env.items()}


def _filled(part: Part, out_dir: Path) -> str:
    pieces = (part,) if isinstance(part, str) else part
    return "".join(piece if isinstance(piece, str) else str(out_dir / piece.name) for piece in pieces)


def secret_variables(step: plan.Step, of: plan.Plan, identity: Identity) -> dict[str, str]:
    """The step's variables that hold secrets, with their values.

    Kubernetes and Batch put a secret into the node's environment under the variable's own name; on this machine it
    stands in the variable that the flow's `secret` block names.
    """
    places = {secret.name: secret.local for secret in of.secrets}
    found: dict[str, str] = {}
    for variable in step.env:
        if isinstance(variable.value, plan.SecretRef):
            secret = variable.value.name
            source = places.get(secret, "") if identity.engine == "local" else variable.name
            value = os.environ.get(source)
            if value is None:
                remedy = "set it where flowc is started" if identity.engine == "local" else "the engine did not set it"
                raise Stop(
                    BAD_PLAN,
                    f"the secret {secret!r}, which {variable.name} is to hold, is not there: the environment variable "
                    f"{source} is not set ({remedy})",
                )
            found[variable.name] = value
    return found


def prepare(
    step: plan.Step,
    identity: Identity,
    values: Mapping[str, Value],
    secrets: Mapping[str, str],
    addresses: tuple[str, ...],
    workspace: Workspace,
) -> Body:
    """Write the body's files and give what to start; `secrets` are variables, and stand in no file."""
    context = {
        "flow": identity.flow,
        "run": identity.run,
        "step": identity.step,
        "index": list(identity.path),
        "attempt": identity.attempt,
        "inputs": {name: _context_entry(value) for name, value in values.items()},
        "outputs": {output.name: output.type for output in step.outputs},
        "cluster": {"node": identity.node, "nodes": identity.nodes, "addresses": list(addresses)},
    }
    workspace.context.write_text(json.dumps(context), encoding="utf-8")
    python = _python()
    plain = [variable for variable in step.env if variable.name not in secrets]
    variables = {variable.name: _part(variable.value, identity, values) for variable in plain}
    env = _environment(identity, addresses, workspace) | dict(secrets)
    env |= {name: part for name, part in variables.items() if isinstance(part, str)}
    open_env = {name: part for name, part in variables.items() if not isinstance(part, str)}
    if isinstance(step.body, plan.Script):
        env |= {
            f"in_{name}": _script_value(name, value, workspace)
            for name, value in values.items()
            if leaf_type(value.type) != "pickle"
        }
        open_env |= {f"out_{output.name}": (OutPath(output.name),) for output in step.outputs}
    return Body(_argv(step, identity, values, workspace, python), env, open_env, python)


def publish_outputs(
    outputs: tuple[plan.Output, ...], store: Store, flow: str, out_dir: Path
) -> dict[str, dict[str, Any]]:
    """Read what the body wrote for these outputs and store it; gives the outputs document's entries."""
    return {output.name: _publish(output, store, flow, out_dir) for output in outputs}


def _publish(output: plan.Output, store: Store, flow: str, out_dir: Path) -> dict[str, Any]:
    what = f"output {output.name!r}"
    path = out_dir / output.name
    if is_blob(output.type):
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


def _context_entry(value: Value) -> dict[str, Any]:
    """What `current` reads: paths instead of values where the values are files."""
    if is_blob(leaf_type(value.type)):
        return {"type": value.type, "paths": _texts(value.value)}
    return {"type": value.type, "value": to_json(value.type, value.value)}


def _texts(paths: Any) -> Any:
    return [_texts(path) for path in paths] if isinstance(paths, list) else str(paths)


def _argv(
    step: plan.Step, identity: Identity, values: Mapping[str, Value], workspace: Workspace, python: str
) -> tuple[Part, ...]:
    body = step.body
    if isinstance(body, plan.Call):
        return (python, "-u", "-m", "flowc.runtime.call", body.target, body.function)
    if isinstance(body, plan.Script):
        path = workspace.root / f"script.{'sh' if body.language == 'bash' else 'py'}"
        path.write_text(body.text, encoding="utf-8")
        # A failing command in the middle of a script must not end as success.
        return ("bash", "-e", "-o", "pipefail", str(path)) if body.language == "bash" else (python, "-u", str(path))
    argv: list[Part] = []
    for operand in body.argv:
        argv += _arguments(operand, identity, values)
    if step.gang is not None and isinstance(step.gang.framework, plan.Torchrun):
        return (python, "-u", *argv)
    return tuple(argv)


def _arguments(operand: plan.Operand, identity: Identity, values: Mapping[str, Value]) -> list[Part]:
    """A list is several arguments; the lists inside it are JSON text."""
    if isinstance(operand, plan.InRef):
        value = values[operand.name]
        inner = items_type(value.type)
        if inner is not None:
            return [_text(inner, item) for item in value.value]
    elif isinstance(operand, plan.Const) and isinstance(operand.value, list):
        return [_literal_text(item) for item in operand.value]
    return [_part(operand, identity, values)]


def _part(operand: plan.Operand, identity: Identity, values: Mapping[str, Value]) -> Part:
    match operand:
        case plan.OutRef():
            return (OutPath(operand.name),)
        case plan.RunId():
            return identity.run
        case plan.Const():
            return _literal_text(operand.value)
        case plan.InRef():
            return _text(values[operand.name].type, values[operand.name].value)
        case plan.Format():
            pieces: list[str | OutPath] = []
            for part in (_part(inner, identity, values) for inner in operand.parts):
                pieces += (part,) if isinstance(part, str) else part
            texts = [piece for piece in pieces if isinstance(piece, str)]
            return "".join(texts) if len(texts) == len(pieces) else tuple(pieces)
        case plan.SecretRef():
            raise Stop(BAD_PLAN, f"the secret {operand.name!r} stands where only a variable's whole value may be one")


def _text(type_: str, value: Any) -> str:
    """A value as one argument."""
    if not is_blob(leaf_type(type_)):
        return to_text(type_, value)
    return str(value) if items_type(type_) is None else json.dumps(_texts(value), ensure_ascii=False)


def _literal_text(value: plan.Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _environment(identity: Identity, addresses: tuple[str, ...], workspace: Workspace) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name not in _INTERNAL}
    env |= {
        "FLOWC_CONTEXT": str(workspace.context),
        "FLOWC_LAUNCH": str(workspace.launch),
        "FLOWC_RUN": identity.run,
        "FLOWC_STEP": identity.step,
        "FLOWC_INDEX": identity.ix,
        "FLOWC_NODE_INDEX": str(identity.node),
        "FLOWC_NUM_NODES": str(identity.nodes),
        "FLOWC_MAIN_ADDRESS": addresses[0],
        "FLOWC_ADDRESSES": ",".join(addresses),
        "PYTHONUNBUFFERED": "1",
    }
    # A Python script in the scratch folder imports the user's modules as if it stood beside them.
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(workspace.code), env.get("PYTHONPATH")]))
    return env


def _script_value(name: str, value: Value, workspace: Workspace) -> str:
    """What `$in_NAME` holds: a scalar's text, an artifact's path, or the path of a JSON file for a list or json."""
    if value.type != "json" and items_type(value.type) is None:
        return _text(value.type, value.value)
    path = workspace.inputs / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_text(value.type, value.value), encoding="utf-8")
    return str(path)


def _python() -> str:
    """The Python of the image that the step runs in; the supervisor may have one of its own."""
    return shutil.which("python") or shutil.which("python3") or sys.executable
