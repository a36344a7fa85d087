"""Fixtures of the engine's own tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .batch_nodes import NodeContext
from .stack import Aws


def base_env(context: NodeContext) -> dict[str, str]:
    """A program search path, and the node's own address under a name of this test suite."""
    return {"PATH": os.environ["PATH"], "OWN_ADDRESS": context.address}


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    with Aws(tmp_path, base_env=base_env, seed=1) as opened:
        yield opened
