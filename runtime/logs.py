"""A node's output: every line to standard output at once, and to the store in chunks.

Lines of several ranks carry a `[rank N]` mark. Output is bytes: what is no UTF-8 passes unchanged. The terminal side
and the store side are threads behind one bounded queue, so that a slow reader slows the body down, as a pipe would,
and never the node's link to its gang. A chunk is written at most every 30 s or 1 MiB; a store that fails loses log
chunks, not the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable

CHUNK_BYTES = 1 << 20
CHUNK_SECONDS = 30.0
# Above this much unwritten output the body's pipes are no longer read.
HIGH_WATER = 4 << 20
# A line longer than this is passed on in pieces: a progress bar that never ends a line must not eat the memory.
LONGEST_LINE = 64 << 10
# How many lines of a failed rank its message shows.
LAST_LINES = 20


class LogSink:
    """Takes lines from the event loop, writes them in the background."""

    def __init__(self, write_chunk: Callable[[int, bytes], None], output: int = 1) -> None:
        self._write_chunk = write_chunk
        self._output = output
        self._queue: deque[bytes] = deque()
        self._pending = 0
        self._closing = False
        self._condition = threading.Condition()
        self._paused: list[tuple[asyncio.AbstractEventLoop, asyncio.ReadTransport]] = []
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        with self._condition:
            self._queue.append(data)
            self._pending += len(data)
            self._condition.notify()

    def throttle(self, transport: asyncio.ReadTransport) -> None:
        """Stop reading from `transport` while too much is waiting to be written."""
        with self._condition:
            if self._pending > HIGH_WATER and transport.is_reading():
                transport.pause_reading()
                self._paused.append((asyncio.get_running_loop(), transport))

    def close(self) -> None:
        """Write what is left, the last chunk included."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        chunk = bytearray()
        number = 0
        chunk_since = time.monotonic()
        while True:
            with self._condition:
                if not self._queue and not self._closing:
                    self._condition.wait(timeout=max(0.05, chunk_since + CHUNK_SECONDS - time.monotonic()))
                data = b"".join(self._queue)
                self._queue.clear()
                finished = self._closing and not data
            if data:
                self._emit(data)
                if not chunk:
                    chunk_since = time.monotonic()
                chunk += data
            due = time.monotonic() - chunk_since >= CHUNK_SECONDS
            while chunk and (finished or due or len(chunk) >= CHUNK_BYTES):
                part = bytes(chunk[:CHUNK_BYTES])
                del chunk[:CHUNK_BYTES]
                with contextlib.suppress(Exception):  # a store that is away must not stop the body's output
                    self._write_chunk(number, part)
                number += 1
                chunk_since = time.monotonic()
            if finished:
                return
            with self._condition:
                self._pending -= len(data)
                if self._paused and self._pending < HIGH_WATER // 2:
                    for loop, transport in self._paused:
                        with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
                            loop.call_soon_threadsafe(_resume, transport)
                    self._paused.clear()

    def _emit(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                written = os.write(self._output, view)
            except OSError:  # whoever read our output is gone; the store still gets it
                return
            view = view[written:]


def _resume(transport: asyncio.ReadTransport) -> None:
    if not transport.is_closing():
        transport.resume_reading()


class LineReader(asyncio.Protocol):
    """Reads one stream, passes on whole lines with a prefix, and remembers the last ones."""

    def __init__(self, sink: LogSink, prefix: bytes) -> None:
        self.last: deque[bytes] = deque(maxlen=LAST_LINES)
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sink = sink
        self._prefix = prefix
        self._buffer = b""
        self._transport: asyncio.ReadTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.ReadTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, rest = (self._buffer + data).split(b"\n")
        while len(rest) > LONGEST_LINE:
            lines.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self._buffer = rest
        if lines:
            self.last.extend(lines)
            self._sink.write(b"".join(self._prefix + line + b"\n" for line in lines))
            assert self._transport is not None
            self._sink.throttle(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._buffer:
            self.last.append(self._buffer)
            self._sink.write(self._prefix + self._buffer + b"\n")
            self._buffer = b""
        if not self.ended.done():
            self.ended.set_result(None)

    def last_lines(self) -> list[str]:
        return [line.decode("utf-8", "replace").rstrip("\r") for line in self.last]


async def read_lines(pipe: int, sink: LogSink, prefix: bytes = b"") -> LineReader:
    """Start reading the pipe's read end; the reader tells when it has ended."""
    loop = asyncio.get_running_loop()
    _, reader = await loop.connect_read_pipe(lambda: LineReader(sink, prefix), os.fdopen(pipe, "rb", buffering=0))
    return reader
