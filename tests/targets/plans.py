"""Plans built by hand, for tests of the back ends alone: no parser, no checker."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from flowc.compiler.model import Build, Model
from flowc.dsl.spans import Span
from flowc.runtime.plan import Gang, Param, Plain, Plan, Script, Settings, Step, Torchrun

GIB = 2**30
DEFAULTS: dict[str, Any] = {
    "image": "acme/train:2.5",
    "cpu": 1.0,
    "memory": 2 * GIB,
    "gpu": 0,
    "shm": None,
    "timeout": None,
    "start_timeout": 600,
    "retries": 0,
    "retry_wait": 0,
}


def step(name: str, needs: Sequence[str] = (), gang: int | Gang = 0, **settings: Any) -> Step:
    found = (Gang(gang, Plain()) if gang else None) if isinstance(gang, int) else gang
    body = Script("bash", "echo {{workflow.name}} $(X)")
    return Step(name, 7, "", body, (), (), (), tuple(needs), found, Settings(**{**DEFAULTS, **settings}))


def plan(*steps: Step, params: tuple[Param, ...] = (), flow: str = "sample", timeout: int | None = None) -> Plan:
    return Plan(flow, "sample.flow", timeout, params, tuple(steps))


def build(of: Plan, store: str | None = "s3://bucket/prefix", source_name: str = "sample.flow") -> Build:
    """A build whose model knows only where steps stand: the `n`th one at offset n."""
    places = {each.name: Span(number, number + 1) for number, each in enumerate(of.steps)}
    model = SimpleNamespace(doc="", span=Span(0, 0), span_of=lambda name: places[name])
    return Build(
        model=cast(Model, model),
        plan=of,
        source_name=source_name,
        source_digest="0" * 64,
        bundle_digest="b" * 64,
        store=store,
        version="0.1.0",
    )


def linear() -> Plan:
    """Prepare, train on a gang, report: with every setting somewhere."""
    train = Gang(4, Torchrun(procs_per_node=2, max_restarts=1, port=None))
    return plan(
        step("prepare", cpu=0.5, shm=1 * GIB, timeout=600),
        step(
            "train",
            ["prepare"],
            train,
            gpu=2,
            cpu=16.0,
            memory=64 * GIB,
            shm=8 * GIB,
            retries=2,
            retry_wait=30,
            timeout=3600,
        ),
        step("report_all", ["train"], retries=3, retry_wait=10),
        params=(
            Param("epochs", "int", False, 3),
            Param("lr", "float", False, 1e-4),
            Param("corpus", "string", True, None),
            Param("sizes", "list[int]", False, [1, 2]),
            Param("fast", "bool", False, True),
        ),
        flow="train_llm",
        timeout=7200,
    )


def diamond() -> Plan:
    """Two plain branches, a gang of one and a gang of two, a join, and a step on its own; no parameters."""
    return plan(
        step("start"),
        step("left", ["start"], 2),
        step("right", ["start"], 1),
        step("alone", image="acme/other@sha256:" + "a" * 64),
        step("join", ["left", "right"]),
        flow="diamond",
    )


SAMPLES = {"linear": linear, "diamond": diamond}
