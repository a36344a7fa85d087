"""A workplace per test; a test that leaves a process behind fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .support import Workplace, eventually


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    # Inherited by everything that a run starts, so that what it left behind is found whoever its parent is.
    monkeypatch.setenv("TEST_PLACE", str(tmp_path))
    workplace = Workplace(tmp_path)
    yield workplace
    left = [] if eventually(lambda: not workplace.processes(), 1) else workplace.processes()
    for pid in left:
        psutil.Process(pid).kill()
    assert not left, "processes were left behind"
