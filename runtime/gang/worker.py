"""A worker's side of the link: connect to node 0, follow it, and end when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from flowc.runtime import layout
from flowc.runtime.errors import INTERNAL, PEER_LOST, START_TIMEOUT, Stop
from flowc.runtime.gang import AlreadyCommitted, Cause, GangEnded, Timing, cause_from_json, fault_of, link, trust
from flowc.runtime.identity import Identity
from flowc.runtime.store import Store, StoreError

T = TypeVar("T")

# How often to look for node 0 while it is not there: quick at first, then easy on the store.
FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0


class Worker:
    """Node 1 and up."""

    def __init__(
        self,
        identity: Identity,
        address: str,
        store: Store,
        own: trust.OwnCertificate,
        deadline: float,
        timing: Timing,
        committed: Callable[[], Awaitable[bool]],
    ) -> None:
        self.verdict: asyncio.Future[Cause] = asyncio.get_running_loop().create_future()
        self.speaks = False
        self._identity = identity
        self._address = address
        self._store = store
        self._own = own
        self._deadline = deadline
        self._timing = timing
        self._committed = committed
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._addresses: asyncio.Future[tuple[str, ...]] = asyncio.get_running_loop().create_future()
        self._shared: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._silence = link.Silence()

    async def meet(self) -> tuple[str, ...]:
        try:
            # A call to a store that never answers is bounded too.
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                await self._arrive()
        except TimeoutError:
            raise Stop(START_TIMEOUT, "node 0 of the gang did not arrive within the start timeout") from None
        return await self._or_verdict(self._addresses)

    async def _arrive(self) -> None:
        await self._publish()
        wait = FIRST_WAIT
        while True:
            head = await self._find_head()
            if head is not None and await self._connect(head):
                return
            if head is None and wait >= LONGEST_WAIT and await self._is_committed():
                raise AlreadyCommitted  # node 0 found the commit and has left before we came
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, LONGEST_WAIT)

    async def start(self, share: Callable[[], dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002 - node 0's part
        self._send("ready")
        return await self._or_verdict(self._shared)

    async def finish(self, report: dict[str, Any]) -> list[dict[str, Any]]:
        self._send("done", report=report)
        await self._or_verdict(self._finished)
        return [report]

    async def leave(self) -> None:
        await self.close()

    def fail(self, cause: Cause, *, at_once: bool = False) -> None:
        if self.verdict.done():
            return
        if self._writer is None or self._writer.is_closing():
            self._end(cause)
            return
        # Clocks of two hosts differ, ages do not: node 0 puts the failure on its own clock.
        members = cause.to_json() | {"at": 0.0}
        self._send("failed", cause=members, age=max(0.0, time.monotonic() - cause.at), at_once=at_once)
        # Node 0 answers with the verdict; without an answer this failure is the one we know.
        timeout = self._timing.collect + 2
        asyncio.get_running_loop().call_later(timeout, lambda: self._end(cause))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._writer is not None:
            await link.close(self._writer)

    async def _publish(self) -> None:
        identity = self._identity
        entry = trust.Entry(identity.node, self._address, 0, self._own.pem)
        key = layout.node_key(identity.flow, identity.run, identity.step, identity.attempt, identity.node, identity.ix)
        if not await asyncio.to_thread(self._store.put_new, key, entry.dump()):
            present = await asyncio.to_thread(self._store.get, key)
            if present != entry.dump():
                raise Stop(INTERNAL, f"another process is already node {identity.node} of attempt {identity.attempt}")

    async def _is_committed(self) -> bool:
        with contextlib.suppress(StoreError):
            return await self._committed()
        return False

    async def _find_head(self) -> trust.Entry | None:
        identity = self._identity
        key = layout.node_key(identity.flow, identity.run, identity.step, identity.attempt, 0, identity.ix)
        with contextlib.suppress(StoreError):  # an outage of the store is waited for, up to the deadline
            data = await asyncio.to_thread(self._store.get, key)
            return trust.load_entry(data) if data is not None else None
        return None

    async def _connect(self, head: trust.Entry) -> bool:
        """True once node 0 has welcomed us; it does so only after it has read our certificate from the store."""
        context = trust.client_context(self._own, head)
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(head.address, head.port, ssl=context, limit=link.LONGEST_MESSAGE),
                link.GREETING,
            )
        except (TimeoutError, OSError, ssl.SSLError):
            return False
        link.send(writer, "hello", node=self._identity.node)
        try:
            # As patient as later: node 0 would take a connection that we give up for a node that was lost.
            welcome = await asyncio.wait_for(link.receive(reader), self._timing.peer_timeout)
        except TimeoutError:
            welcome = None
        if welcome is None or welcome["kind"] != "welcome":
            await link.close(writer)
            return False
        self._writer = writer
        self._silence.heard()
        self._tasks = [asyncio.create_task(self._listen(reader)), asyncio.create_task(self._beat())]
        for task in self._tasks:
            task.add_done_callback(self._task_ended)
        return True

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while (message := await link.receive(reader)) is not None:
            self._silence.heard()
            kind = message["kind"]
            if kind == "met" and not self._addresses.done():
                self._addresses.set_result(tuple(message["addresses"]))
            elif kind == "start" and not self._shared.done():
                self._shared.set_result(message["shared"])
            elif kind == "finished" and not self._finished.done():
                self._finished.set_result(None)
            elif kind == "abort":
                self._end(cause_from_json(message["cause"]), judged_here=False)
        if not self._finished.done():
            self._end(self._head_lost("its connection closed"))

    async def _beat(self) -> None:
        pace = link.Pace(self._timing.beat)
        while True:
            self._send("beat")
            self._silence.forgive(await pace.sleep())
            if self._silence.quiet() > self._timing.peer_timeout:
                self._end(self._head_lost(f"nothing was heard of it for {self._timing.peer_timeout:g} s"))

    def _head_lost(self, how: str) -> Cause:
        return Cause(0, None, PEER_LOST, None, f"node 0 was lost: {how}", (), time.monotonic())

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """Nobody awaits these tasks: a fault in one would otherwise show as a node that fell silent, or never."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            code, reason = fault_of(error)
            self.fail(Cause(self._identity.node, None, code, None, reason, (), time.monotonic()))

    def _end(self, cause: Cause, *, judged_here: bool = True) -> None:
        if not self.verdict.done():
            self.speaks = judged_here
            self.verdict.set_result(cause)

    def _send(self, kind: str, **members: Any) -> None:
        if self._writer is not None:
            link.send(self._writer, kind, **members)

    async def _or_verdict(self, wanted: asyncio.Future[T]) -> T:
        either: list[asyncio.Future[Any]] = [wanted, self.verdict]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if wanted.done():
            return wanted.result()
        raise GangEnded
