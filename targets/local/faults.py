"""Diagnostics of runs on this machine, F3xxx: one constructor per code. Codes are stable and never used again."""

from __future__ import annotations

from flowc.dsl.diagnostics import Diagnostic
from flowc.targets.pending import Pending


def not_built(pending: Pending) -> Diagnostic:
    return pending.diagnostic("F3001", "cannot run on this machine")
