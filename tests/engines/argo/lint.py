"""Lint."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def lint(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    return []
