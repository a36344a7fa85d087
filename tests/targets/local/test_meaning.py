"""The engine does what a plan means: random programs and every sample, against a simple interpreter.

Real scheduling, decisions and commits; only the bodies are made up. What is compared: which instances ran, what each of
them read, in which order things happened, how the run ended.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from flowc.compiler.driver import check_source
from flowc.compiler.lower import lower
from flowc.dsl.spans import Source
from flowc.runtime import plan as plans
from flowc.runtime.plan import dump, load
from tests.fuzz.flows import flow

from . import in_process
from .in_process import History
from .meaning import Meaning, World

SAMPLES = Path(__file__).parents[2] / "samples/good"


def tamed(plan: plans.Plan) -> plans.Plan:
    """Without waits, and with loops that end soon."""

    def node(old: plans.Node) -> plans.Node:
        match old:
            case plans.Step():
                return replace(old, settings=replace(old.settings, retry_wait=0))
            case plans.FanOut():
                return replace(old, nodes=tuple(map(node, old.nodes)))
            case plans.Loop():
                return replace(old, limit=min(old.limit, 3), nodes=tuple(map(node, old.nodes)))
            case plans.Branch():
                return replace(old, arms=tuple(replace(arm, nodes=tuple(map(node, arm.nodes))) for arm in old.arms))
        return old

    nodes, finals = tuple(map(node, plan.nodes)), tuple(map(node, plan.finals))
    return replace(plan, nodes=nodes, finals=finals, timeout=None)


def plan_of(text: str, folder: Path) -> plans.Plan:
    checked = check_source(Source("random.flow", text), folder)
    assert checked.model is not None, text
    return tamed(load(dump(lower(checked.model))))


def compare(plan: plans.Plan, world: World, monkeypatch: pytest.MonkeyPatch) -> History:
    params = {param.name: world.param(param) for param in plan.params}
    with monkeypatch.context() as patches:
        history = in_process.run(plan, world, params, patches)
    outcome = history.outcome
    assert outcome is not None
    meant = Meaning(plan, world, params).run(outcome.failed_step)
    started = {(name, path) for what, name, path in history.events if what == "start"}
    for key in started:
        assert key in meant.inputs, f"{key} must not run"
        if not meant.failed or not plan.is_final(key[0]):
            assert history.inputs[key] == meant.inputs[key], key
    assert outcome.succeeded == (not meant.failed), history.text
    if meant.failed:
        assert outcome.failed_step in {name for name, _ in meant.failed}
    else:
        assert started == meant.inputs.keys()
    finals = {key for key in meant.inputs if plan.is_final(key[0])}
    assert finals <= started, "finally runs whatever happened"
    in_order(plan, history)
    return history


def in_order(plan: plans.Plan, history: History) -> None:
    """Nothing starts before what it needs is over, no turn before the last one is, no more iterations than `max`."""
    spans: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    begins: dict[tuple[str, tuple[int, ...]], int] = {}
    for at, (_, name, path) in enumerate(history.events):
        chain = [place.block for place in plan.chain(name)]
        used = 0
        for block in chain:
            spans.setdefault((block.name, path[:used]), []).append(at)
            begins.setdefault((block.name, path[:used]), at)
            if not isinstance(block, plans.Branch):
                used += 1
                spans.setdefault((f"{block.name} item", path[:used]), []).append(at)
        spans.setdefault((name, path), []).append(at)
        begins.setdefault((name, path), at)
    for (name, path), begin in begins.items():
        for need in waited_for(plan, plan.node(name)):
            assert max(spans.get((need, path), [-1])) < begin, f"{name}{path} did not wait for {need}"
    for node in plan.all_nodes:
        if isinstance(node, plans.Loop | plans.FanOut):
            iterations = [(path, at) for (name, path), at in spans.items() if name == f"{node.name} item"]
            for around in {path[:-1] for path, _ in iterations}:
                bounds = sorted((path[-1], min(at), max(at)) for path, at in iterations if path[:-1] == around)
                if isinstance(node, plans.Loop):
                    assert all(one[2] < other[1] for one, other in pairwise(bounds)), node.name
                elif node.limit is not None:
                    for _, first, _last in bounds:
                        open_then = [1 for _, begin, end in bounds if begin <= first <= end]
                        assert len(open_then) <= node.limit, node.name


def waited_for(plan: plans.Plan, node: plans.Node) -> set[str]:
    """The steps and blocks among the needs, also through decisions."""
    found = set()
    for need in node.needs:
        other = plan.node(need)
        found |= waited_for(plan, other) if isinstance(other, plans.Decision) else {need}
    return found


@pytest.mark.parametrize("batch", range(8))
def test_random_programs(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"steps": 0, "failed": 0, "nested": 0}
    for seed in range(batch * 25, batch * 25 + 25):
        program = flow(random.Random(seed))
        for name, text in program.folder().items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        plan = plan_of(program.text(), tmp_path)
        history = compare(plan, World(seed, ill=(0, 5, 30)[seed % 3]), monkeypatch)
        assert history.outcome is not None
        kinds["steps"] += len(history.inputs)
        kinds["failed"] += not history.outcome.succeeded
        kinds["nested"] += any(len(path) > 1 for _, _, path in history.events)
    assert all(kinds.values()), f"a batch that shows nothing: {kinds}"


@pytest.mark.parametrize("name", sorted(folder.name for folder in SAMPLES.iterdir()))
def test_every_sample(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = tamed(load(dump(load((SAMPLES / name / "plan.json").read_text()))))
    for seed in range(6):
        compare(plan, World(seed, ill=(0, 20)[seed % 2]), monkeypatch)


def test_the_samples_that_it_runs_are_as_compiled() -> None:
    assert all(json.loads((folder / "plan.json").read_text())["version"] for folder in SAMPLES.iterdir())
