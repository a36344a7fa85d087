"""limits: what this machine cannot run, said before anything is started. Takes a `Build`; gives diagnostics."""

from __future__ import annotations

from flowc.compiler.model import Build
from flowc.dsl.diagnostics import Diagnostic
from flowc.targets.pending import pending

from . import faults

# Nobody starts a run on this machine at a time of day: a schedule is for engines, and does no harm here.
_DONE = frozenset(
    {"schedule", "foreach", "if", "repeat", "finally", "size", "main", "each", "secret", "on", "allow_failure"}
)


def limits(build: Build) -> tuple[Diagnostic, ...]:
    return tuple(map(faults.not_built, pending(build, "local", _DONE)))
