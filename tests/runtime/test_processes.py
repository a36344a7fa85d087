"""Ending process trees, whoever owns what is in them, and which process of a node was the gang's first."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from flowc.runtime.logs import LogSink
from flowc.runtime.ranks import RankServer, _Rank

NOT_OURS = """
import subprocess, sys
import psutil
from flowc.runtime.processes import end_descendants
ours, other = (subprocess.Popen(["sleep", "300"]) for _ in range(2))
send_signal = psutil.Process.send_signal
def refused(process, number):
    if process.pid == other.pid:
        raise psutil.AccessDenied(process.pid)
    send_signal(process, number)
psutil.Process.send_signal = refused
print(end_descendants(0.1, (ours.pid, other.pid)), ours.poll(), other.poll())
other.kill()
"""


def test_a_descendant_of_another_user_does_not_save_the_others() -> None:
    """`sudo` in a body, for one: only root may end what it starts."""
    run = subprocess.run([sys.executable, "-c", NOT_OURS], capture_output=True, text=True, timeout=60)

    assert run.stdout.split() == ["False", "-15", "None"], run.stderr


def test_the_first_process_is_looked_for_among_the_latest_ones(tmp_path: Path) -> None:
    """After a restart rank 0 may run on another node: what its predecessor here wrote is gone."""

    async def first(*ranks: tuple[int, int, int]) -> int | None:
        sink = LogSink(lambda number, data: None)
        server = RankServer(tmp_path / "socket", 0, 1, sink, lambda cause: None)
        reader: Any = None
        server._ranks += [_Rank(rank, local_rank, restart, reader) for rank, local_rank, restart in ranks]
        server.close()
        sink.close()
        return server.first

    assert asyncio.run(first((0, 0, 0), (1, 1, 0))) == 0
    assert asyncio.run(first((1, 0, 0), (0, 1, 0))) == 1
    assert asyncio.run(first((2, 0, 0), (3, 1, 0))) is None
    assert asyncio.run(first((0, 0, 0), (1, 1, 0), (2, 0, 1), (3, 1, 1))) is None
    assert asyncio.run(first((2, 0, 0), (3, 1, 0), (0, 0, 1), (1, 1, 1))) == 0
