"""Parameters on their way into a run, from each engine."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from flowc.runtime.errors import Stop
from flowc.runtime.plan import Json, Param, Plan
from flowc.runtime.run_record import (
    complete_params,
    params_from_input,
    params_from_slots,
    read_run,
    start_run,
)
from flowc.runtime.store import open_store

PARAMS = (
    Param("epochs", "int", False, 3),
    Param("name", "string", True, None),
    Param("rates", "list[float]", False, [0.1, "nan"]),
)


def slots(*texts: str) -> str:
    return ".".join(base64.b64encode(text.encode()).decode() for text in texts)


def test_defaults_fill_in_what_was_not_given() -> None:
    assert complete_params(PARAMS, {"name": "x"}) == {"epochs": 3, "name": "x", "rates": [0.1, "nan"]}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "without the parameter 'name' (string)"),
        ({"name": "x", "epoch": 2}, "unknown parameter 'epoch' (known: epochs, name, rates)"),
        ({"name": "x", "epochs": "two"}, "parameter 'epochs': expected int"),
    ],
)
def test_wrong_parameters_are_named(given: dict[str, Json], says: str) -> None:
    with pytest.raises(Stop) as stop:
        complete_params(PARAMS, given)

    assert says in stop.value.message
    assert stop.value.code == 64


def test_slots_keep_every_byte_and_leave_defaults_to_the_plan() -> None:
    text = "{{x}} \"q\" 's' $(y)\n\t é😀 ."

    given = params_from_slots(PARAMS, slots("flowc:default", text, "[1, 2]"))

    assert given == {"name": text, "rates": [1.0, 2.0]}


def test_slots_tell_an_empty_text_from_none_and_carry_what_an_engine_cannot() -> None:
    assert params_from_slots(PARAMS, slots("4", "", "flowc:default")) == {"epochs": 4, "name": ""}
    encoded = "flowc:base64:" + base64.b64encode(b"{{workflow.name}} flowc:default").decode()
    assert params_from_slots(PARAMS, slots("4", encoded, "[]"))["name"] == "{{workflow.name}} flowc:default"
    with pytest.raises(Stop, match="'flowc:x' is no value"):
        params_from_slots(PARAMS, slots("4", "flowc:x", "[]"))


@pytest.mark.parametrize(
    "text", ["", "a.b", slots("1", "x", "[]") + ".", "!.!.!", slots("one", "x", "[]"), slots("", "x", "[]")]
)
def test_damaged_slots_are_refused(text: str) -> None:
    with pytest.raises(Stop):
        params_from_slots(PARAMS, text)


def test_an_execution_input_may_hold_json_or_text() -> None:
    document: dict[str, Json] = {"epochs": "5", "name": "5", "rates": [1]}

    assert params_from_input(PARAMS, json.dumps(document).encode()) == {"epochs": 5, "name": "5", "rates": [1]}
    assert params_from_input(PARAMS, json.dumps(json.dumps(document)).encode())["epochs"] == 5


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"epochs": "two"}'])
def test_an_input_that_is_no_object_of_parameters_is_refused(data: bytes) -> None:
    with pytest.raises(Stop):
        params_from_input(PARAMS, data)


def test_the_first_record_of_a_run_counts(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    plan = Plan("demo", "demo.flow", None, PARAMS, ())
    one: dict[str, Json] = {"epochs": 1, "name": "one", "rates": []}

    assert start_run(store, plan, "r", one, "argo", "b" * 64, "ns/wf")
    assert not start_run(store, plan, "r", {**one, "name": "two"}, "argo", "b" * 64)

    run = read_run(store, "demo", "r")
    assert run is not None
    assert run.params == one
    assert run.engine_ref == "ns/wf"
    assert (tmp_path / "demo/runs/r").exists()
