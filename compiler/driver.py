"""driver: the stages of the compiler in their order.

`check_source` gives the diagnostics of a text, `plan_source` its plan and code bundle as well, `run_source` the same
for a run on this machine, `compile_source` the documents of a target. Nothing here raises for a mistake in the program,
prints, or writes a file; files that a program names are read from `base_dir`, the folder of the flow file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Protocol, cast

from flowc.dsl.diagnostics import Diagnostic, has_errors, in_order
from flowc.dsl.parse import parse, without_collector
from flowc.dsl.spans import Source
from flowc.dsl.version import VERSION
from flowc.runtime import plan as plans

from . import body_faults
from .check import check
from .lint import lint
from .lower import lower
from .model import Build, Model, OutFile
from .resolve import resolve

if TYPE_CHECKING:
    from .bundle import Bundle

# By name, since importing all targets would cost every command what one of them needs.
TARGETS = {"argo": "flowc.targets.argo", "sfn": "flowc.targets.sfn"}


class Target(Protocol):
    """The three pure functions of a back end."""

    def limits(self, build: Build) -> tuple[Diagnostic, ...]: ...

    def emit(self, build: Build) -> Any: ...

    def render(self, documents: Any) -> tuple[OutFile, ...]: ...


@dataclass(frozen=True, slots=True)
class Checked:
    """`model` is None when there are errors."""

    model: Model | None
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """`build` and `bundle` are None when there are errors."""

    build: Build | None
    bundle: Bundle | None
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """`files` is empty and `bundle` None when there are errors."""

    files: tuple[OutFile, ...]
    diagnostics: tuple[Diagnostic, ...]
    build: Build | None = None
    bundle: Bundle | None = None


def check_source(source: Source, base_dir: Path) -> Checked:
    file, diagnostics = parse(source)
    if file is None or file.damaged:
        return Checked(None, diagnostics)
    with without_collector():
        model, found = resolve(file)
        diagnostics += found + check(model, base_dir)
        if has_errors(diagnostics):
            return Checked(None, in_order(diagnostics))
        return Checked(model, in_order(diagnostics + lint(model, base_dir)))


def plan_source(source: Source, base_dir: Path, store: str | None = None, leave_out: Iterable[Path] = ()) -> Planned:
    """`leave_out`: what a compile writes into the flow's folder and must not become part of the bundle."""
    checked = check_source(source, base_dir)
    if checked.model is None:
        return Planned(None, None, checked.diagnostics)
    # Here, since `check` has no use for the libraries behind it.
    from .bundle import BundleError, pack

    plan = lower(checked.model)
    try:
        bundle = pack(base_dir, plans.dump(plan), leave_out=leave_out)
    except BundleError as error:
        fault = body_faults.cannot_bundle(str(error.path), error.reason, error.remedy)
        return Planned(None, None, (*checked.diagnostics, fault))
    build = Build(
        model=checked.model,
        plan=plan,
        source_name=PurePath(source.path).name,
        source_digest=hashlib.sha256(source.text.encode()).hexdigest(),
        bundle_digest=bundle.digest,
        store=store,
        version=VERSION,
    )
    return Planned(build, bundle, checked.diagnostics)


def run_source(source: Source, base_dir: Path) -> Planned:
    """As `plan_source`, for a run on this machine: what it cannot run is an error."""
    planned = plan_source(source, base_dir)
    if planned.build is None:
        return planned
    from flowc.targets.local import limits

    diagnostics = in_order(planned.diagnostics + limits(planned.build))
    return Planned(None, None, diagnostics) if has_errors(diagnostics) else replace(planned, diagnostics=diagnostics)


def compile_source(
    source: Source, base_dir: Path, target: str, store: str | None = None, leave_out: Iterable[Path] = ()
) -> Compiled:
    planned = plan_source(source, base_dir, store, leave_out)
    if planned.build is None:
        return Compiled((), planned.diagnostics)
    backend = cast(Target, import_module(TARGETS[target]))
    diagnostics = in_order(planned.diagnostics + backend.limits(planned.build))
    if has_errors(diagnostics):
        return Compiled((), diagnostics)
    files = backend.render(backend.emit(planned.build))
    return Compiled(files, diagnostics, planned.build, planned.bundle)
