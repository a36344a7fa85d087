"""A node's output: every line to standard output at once, and to the store in chunks.

Lines of several ranks carry a `[rank N]` mark. Output is bytes: what is no UTF-8 passes unchanged. The terminal side
and the store side are threads behind one bounded queue, so that a slow reader slows the body down, as a pipe would,
and never the node's link to its gang. A chunk is written at most every 30 s or 1 MiB; a store that fails or hangs
loses log chunks, not the run, and holds up neither the terminal nor the end of the node. Where a line holds the value
of a secret, `***` stands in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import queue
import select
import struct
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

CHUNK_BYTES = 1 << 20
CHUNK_SECONDS = 30.0
# Above this much unwritten output the body's pipes are no longer read.
HIGH_WATER = 4 << 20
# A line longer than this is passed on in pieces: a progress bar that never ends a line must not eat the memory.
LONGEST_LINE = 64 << 10
# How many lines of a failed rank its message shows, and how much of each: the message has to fit on the link, where
# what is no text takes six bytes for one.
LAST_LINES = 20
SHOWN_LINE = 4 << 10
# Shorter secrets are not hidden: their like is in too many words and numbers.
SHORTEST_SECRET = 4
# How long a store that does not answer, or an output that nobody reads, may hold up what comes after it.
PATIENCE = 5.0


class LogSink:
    """Takes lines from the event loop, writes them in the background."""

    def __init__(
        self, write_chunk: Callable[[int, bytes], None], output: int = 1, *, patience: float = PATIENCE
    ) -> None:
        self._write_chunk = write_chunk
        self._output = output
        self._patience = patience
        self._hidden: tuple[bytes, ...] = ()
        self._queue: deque[bytes] = deque()
        self._pending = 0
        self._closing = False
        self._condition = threading.Condition()
        self._paused: list[tuple[asyncio.AbstractEventLoop, asyncio.ReadTransport]] = []
        self._emitted = 0
        self._chunks: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self._store_is_idle = threading.Event()
        self._store_is_idle.set()
        self._chunks_are_taken = True
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()
        threading.Thread(target=self._save_chunks, name="log-store", daemon=True).start()

    def hide(self, secrets: Iterable[str]) -> None:
        """From now on show none of these values; of one with several lines none of its lines."""
        lines = {os.fsencode(line.strip()) for secret in secrets for line in secret.splitlines()}
        # The longest first: one may be part of another.
        self._hidden = tuple(sorted((line for line in lines if len(line) >= SHORTEST_SECRET), key=len, reverse=True))

    def masked(self, data: bytes) -> bytes:
        for secret in self._hidden:
            data = data.replace(secret, b"***")
        return data

    def write(self, data: bytes) -> None:
        data = self.masked(data)
        with self._condition:
            self._queue.append(data)
            self._pending += len(data)
            self._condition.notify()

    def throttle(self, transport: asyncio.ReadTransport) -> None:
        """Stop reading from `transport` while too much is waiting to be written."""
        with self._condition:
            # Whoever calls has just read, so it is not paused; `is_reading` fails on Debian 12's Python 3.11.2.
            if self._pending > HIGH_WATER:
                transport.pause_reading()
                self._paused.append((asyncio.get_running_loop(), transport))

    def close(self) -> None:
        """Write what is left, the last chunk included, as long as somebody takes it."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        while self._thread.is_alive():
            before = self._emitted
            # Beside its own waits the thread waits for the store, at most twice.
            self._thread.join(3 * self._patience)
            if self._emitted == before:
                return

    def _run(self) -> None:
        chunk = bytearray()
        number = 0
        chunk_since = time.monotonic()
        while True:
            with self._condition:
                if not self._queue and not self._closing:
                    left = max(0.05, chunk_since + CHUNK_SECONDS - time.monotonic()) if chunk else None
                    self._condition.wait(timeout=left)
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
                self._save(number, bytes(chunk[:CHUNK_BYTES]))
                del chunk[:CHUNK_BYTES]
                number += 1
                chunk_since = time.monotonic()
            if finished:
                self._store_is_idle.wait(self._patience)
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
            except BlockingIOError:  # somebody who shares it has made it so
                select.select([], [self._output], [], 1)
                continue
            except OSError:  # whoever read our output is gone; the store still gets it
                return
            self._emitted += written
            view = view[written:]

    def _save(self, number: int, chunk: bytes) -> None:
        """Hand a chunk to the store's thread; dropped where the store has not taken the last one for too long."""
        if self._store_is_idle.wait(self._patience if self._chunks_are_taken else 0):
            self._chunks_are_taken = True
            self._store_is_idle.clear()
            self._chunks.put((number, chunk))
        else:
            self._chunks_are_taken = False

    def _save_chunks(self) -> None:
        while True:
            number, chunk = self._chunks.get()
            with contextlib.suppress(Exception):  # a store that is away must not stop the body's output
                self._write_chunk(number, chunk)
            self._store_is_idle.set()


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
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.ReadTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        *lines, rest = (self._buffer + data).split(b"\n")
        while len(rest) > LONGEST_LINE:
            lines.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self._buffer = rest
        if lines:
            self.last.extend(self._sink.masked(line)[:SHOWN_LINE] for line in lines[-LAST_LINES:])
            self._sink.write(b"".join(self._prefix + line + b"\n" for line in lines))
            assert self._transport is not None
            self._sink.throttle(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._end_line()
        if not self.ended.done():
            self.ended.set_result(None)

    async def drain(self, moment: float) -> None:
        """Wait for the end of the stream, or until all is read that was written before this call.

        For a stream whose writer has ended. What it left running in the background may hold the stream open and write
        to it for ever, so the end may never come; it is awaited for a `moment`, in seconds.
        """
        owed = self._received + self._waiting()
        if not self.ended.done():
            await asyncio.wait([self.ended], timeout=moment)
        # The sink may have paused us, for as long as it is slow.
        while not self.ended.done() and self._received < owed:
            await asyncio.wait([self.ended], timeout=0.05)
        self._end_line()

    def _waiting(self) -> int:
        """Bytes in the pipe that are still to be read."""
        if self.ended.done() or self._transport is None or self._transport.is_closing():
            return 0
        pipe = self._transport.get_extra_info("pipe")
        return int(struct.unpack("i", fcntl.ioctl(pipe.fileno(), termios.FIONREAD, b"\0" * 4))[0])

    def _end_line(self) -> None:
        if self._buffer:
            self.last.append(self._sink.masked(self._buffer)[:SHOWN_LINE])
            self._sink.write(self._prefix + self._buffer + b"\n")
            self._buffer = b""

    def last_lines(self) -> list[str]:
        return [line.decode("utf-8", "replace").rstrip("\r") for line in self.last]


async def read_lines(pipe: int, sink: LogSink, prefix: bytes = b"") -> LineReader:
    """Start reading the pipe's read end; the reader tells when it has ended."""
    loop = asyncio.get_running_loop()
    _, reader = await loop.connect_read_pipe(lambda: LineReader(sink, prefix), os.fdopen(pipe, "rb", buffering=0))
    return reader
