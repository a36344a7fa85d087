"""The supervisor's ear for its ranks: output and exit of each process that the trampoline starts.

A rank's failure counts as the gang's only when its launcher has no restart left for it; before that the launcher
starts a new generation, and what the old one said is history.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flowc.runtime.gang import Cause, describe_exit
from flowc.runtime.logs import LineReader, LogSink, read_lines
from flowc.runtime.rank import short_address

# How long to wait for the rest of a dead rank's output; a grandchild may hold the pipe open for ever.
_REST = 0.3


@dataclass(eq=False)
class _Rank:
    rank: int
    local_rank: int
    restart: int
    reader: LineReader


class RankServer:
    """Listens on a Unix socket in the node's scratch folder."""

    def __init__(
        self, path: Path, node: int, restarts: int, sink: LogSink, on_failure: Callable[[Cause], None]
    ) -> None:
        self._path = path
        self._node = node
        self._restarts = restarts
        self._sink = sink
        self._on_failure = on_failure
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ranks: list[_Rank] = []

    def start(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            self._socket.bind(short_address(folder, str(self._path)))
        finally:
            os.close(folder)
        self._socket.listen(256)
        self._socket.setblocking(False)
        self._keep(asyncio.create_task(self._accept()))

    @property
    def first(self) -> int | None:
        """The local rank of the gang's first process (RANK 0), None where it ran on another node."""
        # A restarted process may have another rank than its predecessor, whose outputs it has replaced.
        latest = {rank.local_rank: rank.rank for rank in self._ranks}
        return next((local_rank for local_rank, rank in latest.items() if rank == 0), None)

    async def drain(self) -> None:
        """Read what the ranks have written; for when their launcher has ended."""
        await asyncio.gather(*(rank.reader.drain(_REST) for rank in self._ranks))

    async def settle(self) -> None:
        """Wait a moment for exits and output that are still on their way."""
        pending = [rank.reader.ended for rank in self._ranks if not rank.reader.ended.done()]
        if pending:
            await asyncio.wait(pending, timeout=_REST)

    def close(self) -> None:
        self._socket.close()
        for task in self._tasks:
            task.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._socket)
            connection.setblocking(False)
            self._keep(asyncio.create_task(self._follow(connection)))

    async def _follow(self, connection: socket.socket) -> None:
        """One rank from its hello to its exit."""
        with connection, contextlib.suppress(OSError, ValueError, KeyError):
            data, pipe = await _receive_with_pipe(connection)
            hello = json.loads(data)
            prefix = f"[rank {hello['rank']}] ".encode()
            rank = _Rank(
                hello["rank"], hello["local_rank"], hello["restart"], await read_lines(pipe, self._sink, prefix)
            )
            self._ranks.append(rank)
            exit_line = await asyncio.get_running_loop().sock_recv(connection, 65536)
            if exit_line:
                await self._exited(rank, json.loads(exit_line))

    async def _exited(self, rank: _Rank, ended: dict[str, float | int | None]) -> None:
        code, killed_by = ended["exit_code"], ended["signal"]
        if code == 0 or rank.restart < self._restarts:
            return
        if not rank.reader.ended.done():
            await asyncio.wait([rank.reader.ended], timeout=_REST)
        assert isinstance(code, int | None)
        assert isinstance(killed_by, int | None)
        self._on_failure(
            Cause(
                node=self._node,
                rank=rank.rank,
                exit_code=code,
                signal=killed_by,
                reason=describe_exit(code, killed_by),
                last_lines=tuple(rank.reader.last_lines()),
                at=float(ended["at"] or time.monotonic()),
            )
        )

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _receive_with_pipe(connection: socket.socket) -> tuple[bytes, int]:
    """The hello line and the file descriptor that comes with it."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def ready() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(connection.fileno(), ready)
    try:
        await readable
    finally:
        loop.remove_reader(connection.fileno())
    data, descriptors, _, _ = socket.recv_fds(connection, 65536, 1)
    if not data or not descriptors:
        raise OSError("no hello")
    os.set_inheritable(descriptors[0], False)
    return data, descriptors[0]
