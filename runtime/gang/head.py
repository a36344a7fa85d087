"""Node 0's side of the link: wait for all nodes, keep the beats, judge failures, end the gang in order."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from flowc.runtime import layout
from flowc.runtime.errors import BAD_PLAN, INTERNAL, PEER_LOST, START_TIMEOUT, STORE, Stop
from flowc.runtime.gang import Cause, GangEnded, Timing, cause_from_json, fault_of, first_cause, link, trust
from flowc.runtime.gang.worker import FIRST_WAIT, LONGEST_WAIT
from flowc.runtime.identity import Identity
from flowc.runtime.store import Store, StoreError


@dataclass(eq=False)
class _Member:
    """A worker as node 0 sees it."""

    entry: trust.Entry
    writer: asyncio.StreamWriter | None = None
    silence: link.Silence = field(default_factory=link.Silence)
    ready: bool = False
    report: dict[str, Any] | None = None
    gone: bool = False


class Head:
    """Node 0."""

    def __init__(
        self,
        identity: Identity,
        address: str,
        store: Store,
        own: trust.OwnCertificate,
        deadline: float,
        timing: Timing,
    ) -> None:
        self.verdict: asyncio.Future[Cause] = asyncio.get_running_loop().create_future()
        self.speaks = True
        self._identity = identity
        self._address = address
        self._store = store
        self._own = own
        self._deadline = deadline
        self._timing = timing
        self._members: dict[int, _Member] = {}
        self._causes: list[Cause] = []
        self._changed = asyncio.Condition()
        self._finishing = False
        self._server: asyncio.Server | None = None
        self._context = trust.server_context(own)
        self._tasks: list[asyncio.Task[None]] = []
        self._connections: set[asyncio.Task[None]] = set()

    async def meet(self) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                await self._listen()
        except TimeoutError:
            raise Stop(STORE, f"the store {self._store.url} does not answer") from None
        self._tasks = [self._watched(self._beat()), self._watched(self._read_entries())]
        await self._until(lambda: len(self._connected()) == self._identity.nodes - 1, self._missing)
        addresses = [self._address, *(self._members[node].entry.address for node in self._workers())]
        self._broadcast("met", addresses=addresses)
        return tuple(addresses)

    async def start(self, share: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        # Inputs may take long to fetch, and a node that hangs over it is found by its beats: no deadline here.
        await self._until(lambda: all(member.ready for member in self._members.values()))
        shared = share()
        self._broadcast("start", shared=shared)
        return shared

    async def finish(self, report: dict[str, Any]) -> list[dict[str, Any]]:
        await self._until(lambda: all(member.report is not None for member in self._members.values()))
        reports = [self._members[node].report for node in self._workers()]
        return [report, *(worker for worker in reports if worker is not None)]

    async def leave(self) -> None:
        self._finishing = True
        self._broadcast("finished")
        await self._wait_until_gone()
        await self.close()

    def fail(self, cause: Cause, *, at_once: bool = False) -> None:
        if self.verdict.done() or self._finishing:
            return
        self._causes.append(cause)
        if at_once:
            self._judge()
        elif len(self._causes) == 1:
            asyncio.get_running_loop().call_later(self._timing.collect, self._judge)

    async def close(self) -> None:
        if self.verdict.done():
            self._broadcast("abort", cause=self.verdict.result().to_json())
            await self._wait_until_gone()
        if self._server is not None:
            self._server.close()
        for task in [*self._tasks, *self._connections]:
            task.cancel()
        writers = [member.writer for member in self._members.values() if member.writer is not None]
        await asyncio.gather(*(link.close(writer) for writer in writers))

    # --- meeting ---

    async def _listen(self) -> None:
        try:
            self._server = await asyncio.start_server(
                self._accept,
                self._address,
                0,
                ssl=self._context,
                ssl_handshake_timeout=link.GREETING,
                limit=link.LONGEST_MESSAGE,
                backlog=1024,
            )
        except OSError as error:
            raise Stop(BAD_PLAN, f"this node cannot listen on {self._address}: {error}") from None
        port = self._server.sockets[0].getsockname()[1]
        entry = trust.Entry(0, self._address, port, self._own.pem)
        key = self._key(0)
        if not await asyncio.to_thread(self._store.put_new, key, entry.dump()):
            present = await asyncio.to_thread(self._store.get, key)
            if present != entry.dump():
                raise Stop(INTERNAL, f"another process is already node 0 of attempt {self._identity.attempt}")

    async def _read_entries(self) -> None:
        """Learn the workers' certificates as they appear in the store; only then can they connect."""
        wait = FIRST_WAIT
        while missing := [node for node in self._workers() if node not in self._members]:
            for node in missing:
                with contextlib.suppress(StoreError):  # an outage of the store is waited for, up to the deadline
                    data = await asyncio.to_thread(self._store.get, self._key(node))
                    if data is not None:
                        entry = trust.load_entry(data)
                        self._context.load_verify_locations(cadata=entry.certificate)
                        self._members[node] = _Member(entry)
                        wait = FIRST_WAIT
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, LONGEST_WAIT)

    def _missing(self) -> Stop:
        absent = [node for node in self._workers() if node not in self._connected()]
        names = ", ".join(str(node) for node in absent[:8]) + (", …" if len(absent) > 8 else "")
        which = f"node {names}" if len(absent) == 1 else f"nodes {names}"
        return Stop(
            START_TIMEOUT,
            f"{which} of {self._identity.nodes} did not arrive within the start timeout: "
            "is there room for the whole gang? (`start_timeout` sets how long to wait)",
        )

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._watched(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        member = await self._greet(reader, writer)
        if member is None:
            await link.close(writer)
            return
        await self._notify()
        while (message := await link.receive(reader)) is not None:
            member.silence.heard()
            kind = message["kind"]
            if kind == "ready":
                member.ready = True
            elif kind == "done":
                member.report = message["report"]
            elif kind == "failed":
                cause = cause_from_json(message["cause"])
                cause = replace(cause, node=member.entry.node, at=time.monotonic() - float(message["age"]))
                self.fail(cause, at_once=bool(message["at_once"]))
            await self._notify()
        member.gone = True
        if not self._finishing:
            self._lost(member, "its connection closed", time.monotonic())
        await self._notify()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Member | None:
        """The member that this connection proves to be; a stranger gets nothing, not even an answer."""
        try:
            hello = await asyncio.wait_for(link.receive(reader), link.GREETING)
        except TimeoutError:
            return None
        tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls else None
        node = hello.get("node") if hello and hello.get("kind") == "hello" else None
        member = self._members.get(node) if isinstance(node, int) else None
        if member is None or certificate is None or trust.fingerprint(certificate) != member.entry.fingerprint:
            return None
        if member.writer is not None:
            return None  # one connection for each node, the first one
        member.writer = writer
        member.silence.heard()
        link.send(writer, "welcome")
        return member

    # --- life ---

    async def _beat(self) -> None:
        pace = link.Pace(self._timing.beat)
        while True:
            self._broadcast("beat")
            stopped = await pace.sleep()
            for member in self._members.values():
                member.silence.forgive(stopped)
                if member.writer is None or member.gone or self._finishing:
                    continue
                if member.silence.quiet() > self._timing.peer_timeout:
                    how = f"nothing was heard of it for {self._timing.peer_timeout:g} s"
                    member.gone = True
                    self._lost(member, how, member.silence.last)

    def _watched(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task whose fault ends the gang: nobody awaits it, so nobody else would ever hear of it."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            code, reason = fault_of(error)
            self.fail(Cause(self._identity.node, None, code, None, reason, (), time.monotonic()))

    def _lost(self, member: _Member, how: str, at: float) -> None:
        self.fail(Cause(member.entry.node, None, PEER_LOST, None, f"the node was lost: {how}", (), at))

    def _judge(self) -> None:
        if not self.verdict.done():
            self.verdict.set_result(first_cause(self._causes))
            self._broadcast("abort", cause=self.verdict.result().to_json())

    async def _until(self, condition: Callable[[], bool], at_deadline: Callable[[], Stop] | None = None) -> None:
        """Wait for a condition on the members; `GangEnded` at a verdict, the given `Stop` at the deadline."""
        ended = asyncio.ensure_future(self._wait_for(condition))
        timeout = max(0.0, self._deadline - time.monotonic()) if at_deadline else None
        either: list[asyncio.Future[Any]] = [ended, self.verdict]
        await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return
        ended.cancel()
        if self.verdict.done() or at_deadline is None:
            raise GangEnded
        raise at_deadline()

    async def _wait_for(self, condition: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(condition)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _wait_until_gone(self) -> None:
        """Workers close their connections when they have ended their processes: node 0 leaves last."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(
                self._wait_for(lambda: all(m.gone for m in self._members.values() if m.writer is not None)),
                self._timing.leave,
            )

    def _broadcast(self, kind: str, **members: Any) -> None:
        for member in self._members.values():
            if member.writer is not None and not member.gone:
                link.send(member.writer, kind, **members)

    def _workers(self) -> range:
        return range(1, self._identity.nodes)

    def _connected(self) -> set[int]:
        return {node for node, member in self._members.items() if member.writer is not None and not member.gone}

    def _key(self, node: int) -> str:
        identity = self._identity
        return layout.node_key(identity.flow, identity.run, identity.step, identity.attempt, node, identity.ix)
