"""Garbage ends soon, with diagnostics. `python -m tests.fuzz.garbage` tries a megabyte of each kind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from flowc.compiler.driver import check_source
from flowc.dsl.diagnostics import has_errors
from flowc.dsl.spans import Source
from tests.fuzz.garbage import KINDS, MEGABYTE

SIZE = MEGABYTE // 5
# A megabyte may take 5 s on a quiet machine. What is quadratic takes far longer at this size already.
SECONDS = 3.0

# Long, but nothing is wrong with them.
GOOD = {
    "a step with a long name",
    "a long string",
    "a long script",
    "a script of indents",
    "documentation",
    "a list",
    "a command",
}


@pytest.mark.parametrize("kind", KINDS)
def test_garbage_ends_soon(kind: str, tmp_path: Path) -> None:
    source = Source("garbage.flow", KINDS[kind](SIZE))
    start = time.process_time()
    found = check_source(source, tmp_path)
    assert time.process_time() - start < SECONDS
    assert has_errors(found.diagnostics) == (kind not in GOOD)
    assert (found.model is None) == has_errors(found.diagnostics)
