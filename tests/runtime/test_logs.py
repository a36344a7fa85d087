"""The output of a node: nothing is lost, and neither a slow reader nor a store that is away holds up the wrong side."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable

import pytest

from flowc.runtime import logs
from flowc.runtime.gang import link
from flowc.runtime.logs import LineReader, LogSink, read_lines


def discard(number: int, data: bytes) -> None:
    """A store that nobody looks into."""


def read_all(descriptor: int, pause: float = 0.0) -> Callable[[], bytes]:
    """Reads a pipe in the background; the result waits for its end."""
    got = bytearray()

    def run() -> None:
        while data := os.read(descriptor, 4096):
            got.extend(data)
            time.sleep(pause)
        os.close(descriptor)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> bytes:
        thread.join(30)
        return bytes(got)

    return result


def test_an_output_that_does_not_block_gets_everything() -> None:
    """Whoever shares a terminal or a pipe may have made it non-blocking; what does not fit at once is not lost."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    sink = LogSink(discard, writer)
    lines = b"".join(b"line %d\n" % number for number in range(50_000))
    sink.write(lines)
    time.sleep(0.2)
    result = read_all(reader)
    sink.close()
    os.close(writer)

    assert result() == lines


def test_a_store_that_hangs_does_not_hold_up_the_terminal() -> None:
    away = threading.Event()
    reader, writer = os.pipe()

    def hang(number: int, data: bytes) -> None:
        away.wait(60)

    sink = LogSink(hang, writer, patience=0.2)
    result = read_all(reader)
    began = time.monotonic()
    chunk = b"x" * (logs.CHUNK_BYTES - 1) + b"\n"
    for _ in range(8):
        sink.write(chunk)
    sink.close()
    seconds = time.monotonic() - began
    away.set()
    os.close(writer)

    assert result() == chunk * 8
    assert seconds < 5


def test_an_output_that_nobody_reads_does_not_keep_a_node_from_ending() -> None:
    reader, writer = os.pipe()
    sink = LogSink(discard, writer, patience=0.2)
    sink.write(b"x" * 1_000_000)
    began = time.monotonic()
    sink.close()

    assert time.monotonic() - began < 5
    os.close(reader)
    os.close(writer)


def test_a_node_that_says_nothing_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "CHUNK_SECONDS", 0.1)
    sink = LogSink(discard, os.open(os.devnull, os.O_WRONLY))
    sink.write(b"something\n")
    time.sleep(0.5)
    wakes: list[float | None] = []
    wait = sink._condition.wait

    def counted(timeout: float | None = None) -> bool:
        wakes.append(timeout)
        return wait(timeout)

    monkeypatch.setattr(sink._condition, "wait", counted)
    sink.write(b"something\n")
    time.sleep(1)

    assert len(wakes) <= 4
    sink.close()


async def _read(data: bytes) -> LineReader:
    sink = LogSink(discard, os.open(os.devnull, os.O_WRONLY))
    source, target = os.pipe()
    reader = await read_lines(source, sink)

    def fill() -> None:
        with os.fdopen(target, "wb") as pipe:
            pipe.write(data)

    await asyncio.to_thread(fill)
    await asyncio.wait_for(reader.ended, 10)
    sink.close()
    return reader


def test_last_lines_fit_into_a_message_whatever_the_body_wrote() -> None:
    """A binary dump of long lines grows sixfold in JSON; a message that is too long ends the link."""
    reader = asyncio.run(_read((b"\xff" * 100_000 + b"\n") * 25))

    lines = reader.last_lines()

    assert len(lines) == logs.LAST_LINES
    assert lines[0].startswith("\ufffd")
    assert len(json.dumps(lines)) < link.LONGEST_MESSAGE / 2
