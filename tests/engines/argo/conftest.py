"""A cluster for each test, with waits scaled down; after the test no process of it may be alive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .cluster import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    base_env = {"PATH": os.environ["PATH"]}
    secrets, config_maps = {"db": {"password": "tiger"}}, {"place": {"url": "file:///store"}}
    with Cluster(
        tmp_path / "c", base_env=base_env, secrets=secrets, config_maps=config_maps,
        clock_scale=0.05, deadline_scale=0.5, grace_cap=0.5,
    ) as cluster:  # fmt: skip
        yield cluster
    left = [pod.name for pod in cluster.pods if pod.pid is not None and psutil.pid_exists(pod.pid)]
    assert not left, f"processes left behind: {left}"
