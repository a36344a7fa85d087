"""The record of a run: `run.json`, its marker, `status.json` and `end.json`.

`run.json` is create-only, and the first one counts: it holds the run's parameters for every task, whatever engine runs
them. The local engine writes it before the first task. On Argo and Step Functions no engine component of ours exists,
so the first tasks write it from what the engine hands them; all of them would write the same parameters. `status.json`
says how the flow itself ended, before `finally`; `end.json` how the run did.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flowc.runtime import layout
from flowc.runtime.errors import BAD_PLAN, STORE, Stop
from flowc.runtime.identity import Identity
from flowc.runtime.plan import Json, Param, Plan
from flowc.runtime.store import Store
from flowc.runtime.values import BadValue, from_json, parse_text, to_json

RECORD_VERSION = 1

# Parameter texts that are not the value itself, see `params_from_slots`.
RESERVED = "flowc:"
NOT_GIVEN = "flowc:default"
ENCODED = "flowc:base64:"


@dataclass(frozen=True, slots=True)
class Run:
    """A run as all its tasks see it. `params` holds the JSON form of every parameter of the plan."""

    flow: str
    run: str
    engine: str
    engine_ref: str
    bundle: str
    params: Mapping[str, Json]
    started: str


def start_run(
    store: Store, plan: Plan, run_id: str, params: Mapping[str, Json], engine: str, bundle_digest: str, ref: str = ""
) -> bool:
    """Write `run.json` and the marker; False where the run exists already (its record then counts, unchanged).

    `params` must hold every parameter of the plan in its JSON form.
    """
    started = _now()
    record = {
        "version": RECORD_VERSION,
        "flow": plan.flow,
        "run": run_id,
        "engine": engine,
        "engine_ref": ref,
        "bundle": bundle_digest,
        "params": {param.name: params[param.name] for param in plan.params},
        "started": started,
    }
    # Not sorted: a json value keeps its order.
    new = store.put_new(layout.run_key(plan.flow, run_id), json.dumps(record).encode())
    if new:
        store.put(layout.run_marker_key(plan.flow, run_id), started.encode())
    return new


def read_run(store: Store, flow: str, run_id: str) -> Run | None:
    """The run's record, None where nobody has written it yet."""
    data = store.get(layout.run_key(flow, run_id))
    if data is None:
        return None
    record = json.loads(data)
    if record.pop("version") != RECORD_VERSION:
        raise Stop(BAD_PLAN, f"the record of run {run_id} was written by another version of flowc")
    return Run(**record)


def end_run(store: Store, flow: str, run_id: str, status: str, failed_step: str) -> None:
    """Write `end.json`: `status` is "succeeded" or "failed", `failed_step` is "" for a run that succeeded."""
    record = {"version": RECORD_VERSION, "status": status, "failed_step": failed_step, "ended": _now()}
    store.put(layout.run_end_key(flow, run_id), json.dumps(record, sort_keys=True).encode())


@dataclass(frozen=True, slots=True)
class Status:
    """How the flow ended before `finally`: "succeeded" or "failed", and the first step that failed, "" for none."""

    status: str
    failed_step: str


def record_status(store: Store, flow: str, run_id: str, status: Status) -> Status:
    """Write `status.json`; gives the one that counts, which is the first."""
    record = {"version": RECORD_VERSION, "status": status.status, "failed_step": status.failed_step}
    store.put_new(layout.run_status_key(flow, run_id), json.dumps(record, sort_keys=True).encode())
    counts = read_status(store, flow, run_id)
    if counts is None:
        raise Stop(STORE, f"the store {store.url} took the run's status and does not give it back")
    return counts


def read_status(store: Store, flow: str, run_id: str) -> Status | None:
    """How the flow ended; None while it runs."""
    data = store.get(layout.run_status_key(flow, run_id))
    if data is None:
        return None
    record = json.loads(data)
    if record.pop("version") != RECORD_VERSION:
        raise Stop(BAD_PLAN, f"the status of run {run_id} was written by another version of flowc")
    return Status(**record)


def ensure_run(store: Store, plan: Plan, identity: Identity) -> Run:
    """The run's record; the first task to come writes it, where no engine of ours could."""
    found = read_run(store, identity.flow, identity.run)
    if found is not None:
        return found
    slots = os.environ.get("FLOWC_PARAMS")
    given: Mapping[str, Any] = {}
    if slots is not None:
        given = params_from_slots(plan.params, slots)
    else:
        document = store.get(layout.run_input_key(identity.flow, identity.run))
        if document is None:
            raise Stop(
                BAD_PLAN, f"run {identity.run} has no record in the store {store.url}: was it started from elsewhere?"
            )
        given = params_from_input(plan.params, document)
    params = complete_params(plan.params, given)
    start_run(store, plan, identity.run, params, identity.engine, identity.bundle, identity.engine_ref)
    found = read_run(store, identity.flow, identity.run)
    if found is None:
        raise Stop(STORE, f"the store {store.url} took the run's record and does not give it back")
    return found


def complete_params(params: tuple[Param, ...], given: Mapping[str, Json]) -> dict[str, Json]:
    """Given values (JSON form) checked against the declarations, with defaults filled in; `Stop` when one is wrong."""
    unknown = sorted(given.keys() - {param.name for param in params})
    if unknown:
        known = ", ".join(param.name for param in params) or "none"
        raise Stop(BAD_PLAN, f"the run was started with the unknown parameter {unknown[0]!r} (known: {known})")
    values: dict[str, Json] = {}
    for param in params:
        if param.name not in given:
            if param.required:
                raise Stop(BAD_PLAN, f"the run was started without the parameter {param.name!r} ({param.type})")
            values[param.name] = param.default
            continue
        try:
            values[param.name] = to_json(param.type, from_json(param.type, given[param.name]))
        except BadValue as error:
            raise Stop(BAD_PLAN, f"parameter {param.name!r}: {error}") from None
    return values


def params_from_slots(params: tuple[Param, ...], text: str) -> dict[str, Json]:
    """Parameters as an engine's template hands them over: base64 of each one's text, in plan order, joined by dots.

    Argo scans parameter values for its own `{{…}}` and has no escape, so texts that start with `flowc:` are special:
    `flowc:default` says that nothing was given and the plan's default counts, `flowc:base64:…` carries any text.
    """
    slots = text.split(".") if params else []
    if len(slots) != len(params):
        raise Stop(BAD_PLAN, f"FLOWC_PARAMS has {len(slots)} values, the plan has {len(params)} parameters")
    given: dict[str, Json] = {}
    for param, slot in zip(params, slots, strict=True):
        try:
            text = base64.b64decode(slot, validate=True).decode()
            if text == NOT_GIVEN:
                continue
            if text.startswith(ENCODED):
                text = base64.b64decode(text.removeprefix(ENCODED), validate=True).decode()
            elif text.startswith(RESERVED):
                raise BadValue(f"{text!r} is no value; write text that starts with {RESERVED!r} as {ENCODED}…")
            value = parse_text(param.type, text)
        except (binascii.Error, UnicodeDecodeError):
            raise Stop(BAD_PLAN, f"parameter {param.name!r} is no base64 of UTF-8 text") from None
        except BadValue as error:
            raise Stop(BAD_PLAN, f"parameter {param.name!r}: {error}") from None
        given[param.name] = to_json(param.type, value)
    return given


def params_from_input(params: tuple[Param, ...], data: bytes) -> dict[str, Json]:
    """Parameters as a JSON object of name to value: the input of a Step Functions execution.

    A scalar may also be given as text, as on a command line, because consoles and schedulers often pass strings.
    """
    try:
        document: Any = json.loads(data)
        # `States.JsonToString` and SDK integrations may hand over the document as a JSON string of JSON.
        document = json.loads(document) if isinstance(document, str) else document
    except ValueError:
        raise Stop(
            BAD_PLAN, "the run's input is not JSON; start it with an object of parameter names to values"
        ) from None
    if not isinstance(document, dict):
        raise Stop(BAD_PLAN, "the run's input is no JSON object; start it with parameter names and values") from None
    types = {param.name: param.type for param in params}
    given: dict[str, Json] = {}
    for name, value in document.items():
        type_ = types.get(name)
        if type_ in ("int", "float", "bool") and isinstance(value, str) and value not in ("nan", "inf", "-inf"):
            try:
                value = to_json(type_, parse_text(type_, value))
            except BadValue as error:
                raise Stop(BAD_PLAN, f"parameter {name!r}: {error}") from None
        given[name] = value
    return given


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
