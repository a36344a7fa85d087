"""pending: what the language has and a target does not do yet, said before anything is emitted or started.

Takes a `Build` and the constructs that the target does; gives one `Pending` for each kind of construct that it does
not, with every place where the flow has it. `CONSTRUCTS` is the table; the plan says what is there, the model where.
Nothing is left out silently: a document without a flow's `if` would run what must not run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowc.compiler.model import Build
from flowc.dsl.diagnostics import Diagnostic, Label
from flowc.dsl.spans import Span
from flowc.runtime import plan

# More places than this make a message no clearer.
_SHOWN = 4

# Constructs and what can be done instead as long as a target lacks them.
CONSTRUCTS = {
    "foreach": "go over the list inside one step, or write a step for each item",
    "if": "let the step decide: its body may also do nothing",
    "repeat": "repeat inside one step",
    "finally": "a last step with `after` comes at the end of the runs that succeed",
    "size": "write the number of nodes: `parallel(4)`",
    "main": "give all nodes what node 0 needs",
    "each": "let node 0 collect what the others have, and write one output",
    "secret": "let the step's own code fetch it",
    "schedule": "start the runs from outside",
    "on": "leave it out for now",
    "allow_failure": "let the body end well where its failure does not matter",
    "cache": "leave it out: the step then runs every time",
    "deepspeed": "a gang without a framework block can start any launcher",
    "tensorflow": "a gang without a framework block can set TF_CONFIG in its body",
    "ray": "a gang without a framework block can start Ray in its body",
    "mpi": "a gang without a framework block can start `mpirun` in its body",
}


@dataclass(frozen=True, slots=True)
class Pending:
    """A construct of the flow that the target does not do: its word in the language, its places, what to do instead."""

    what: str
    places: tuple[Span, ...]
    instead: str

    def diagnostic(self, code: str, cannot: str) -> Diagnostic:
        """`cannot` goes on after the word: "cannot be compiled for …"."""
        first, *others = self.places
        shown = tuple(Label(span, "here too") for span in others[: _SHOWN - 1])
        more = len(others) - len(shown)
        count = (f"and {more} more places",) if more > 1 else ("and one more place",) if more else ()
        return Diagnostic(
            code,
            "error",
            f"{self.what} {cannot} in this version",
            first,
            "not built for this target",
            shown,
            (self.instead, *count),
        )


def pending(build: Build, target: str, supported: frozenset[str] = frozenset()) -> tuple[Pending, ...]:
    """`supported` are keys of CONSTRUCTS that the target does."""
    assert supported <= CONSTRUCTS.keys()
    found: dict[str, list[Span]] = {}
    for key, span in _constructs(build, target):
        if key not in supported:
            found.setdefault(key, []).append(span)
    return tuple(Pending(_words(key, target), tuple(places), CONSTRUCTS[key]) for key, places in found.items())


def _words(key: str, target: str) -> str:
    words = {
        "size": "a gang whose size is a value",
        "each": "`out each`",
        "on": f"a setting of `on {target}`",
        "secret": "a secret",
    }
    return words.get(key, f"`{key}`")


def _constructs(build: Build, target: str) -> Iterator[tuple[str, Span]]:
    of, model = build.plan, build.model
    yield from _settings(build, target, None)
    yield from (("schedule", schedule.span) for schedule in (model.schedules if of.schedules else ()))
    for node in of.all_nodes:
        match node:
            case plan.FanOut():
                yield "foreach", model.span_of(node.name)
            case plan.Branch():
                yield "if", model.span_of(node.name)
            case plan.Loop():
                yield "repeat", model.span_of(node.name)
            case plan.Step():
                yield from _of_step(build, target, node)
    # Once: its steps are one block.
    yield from (("finally", model.span_of(node.name)) for node in of.finals[-1:])


def _of_step(build: Build, target: str, step: plan.Step) -> Iterator[tuple[str, Span]]:
    if step.gang is not None:
        yield from _of_gang(build, step, step.gang)
    for output in step.outputs:
        if output.each:
            found = build.model.step(step.name).outputs
            yield "each", next(item.span for item in found if item.name == output.name)
    for variable in step.env:
        if _holds_secret(variable.value):
            found_env = build.model.step(step.name).env
            yield "secret", next(item.span for item in found_env if item.name == variable.name)
    for name, given in (("allow_failure", step.settings.allow_failure), ("cache", step.settings.cache)):
        if given:
            yield name, _origin(build, step, name)
    yield from _settings(build, target, step)


def _of_gang(build: Build, step: plan.Step, gang: plan.Gang) -> Iterator[tuple[str, Span]]:
    if gang.decided is not None:
        found = build.model.step(step.name).gang
        assert found is not None
        yield "size", found.span
    if gang.main is not None:
        yield "main", _origin(build, step, "main.")
    if gang.framework.kind in CONSTRUCTS:
        written = build.model.step(step.name).gang
        assert written is not None
        yield gang.framework.kind, written.block[1] if written.block is not None else written.span


def _holds_secret(operand: plan.Operand) -> bool:
    if isinstance(operand, plan.Format):
        return any(map(_holds_secret, operand.parts))
    return isinstance(operand, plan.SecretRef)


def _settings(build: Build, target: str, step: plan.Step | None) -> Iterator[tuple[str, Span]]:
    if any(item.target == target for item in (build.plan if step is None else step).on):
        given = (build.model if step is None else build.model.step(step.name)).on
        yield from (("on", item.span) for item in given if item.target == target)


def _origin(build: Build, step: plan.Step, name: str) -> Span:
    """Where a setting was written; the step's own place for one that no line says."""
    origins = build.model.step(step.name).origins
    spans = (item.span for item in origins if item.name.startswith(name) and item.span is not None)
    return next(spans, build.model.span_of(step.name))
