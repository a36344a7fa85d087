"""Messages of the link: JSON objects, one a line, over TLS.

Beats travel both ways at a fixed pace. `Silence` tells when the other side has been quiet for too long, and does not
blame a peer for the time in which this process itself was stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

# A message holds a failure's last lines at most (20 lines of 64 KiB); data goes through the store.
LONGEST_MESSAGE = 4 << 20
# How long a connection may take until both sides know each other, in seconds; strangers are let go then.
GREETING = 5.0


def send(writer: asyncio.StreamWriter, kind: str, **members: Any) -> None:
    """Queue a message; a connection that is gone swallows it, since its reader reports that."""
    with contextlib.suppress(OSError, RuntimeError):
        if not writer.is_closing():
            writer.write(json.dumps({"kind": kind, **members}).encode() + b"\n")


async def receive(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next message; None at the end of the connection, however it ended."""
    try:
        line = await reader.readline()
    except (OSError, ValueError):  # ValueError: a line beyond the limit, which no peer of ours sends
        return None
    if not line.endswith(b"\n"):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 1)


class Silence:
    """How long a peer has been quiet, on this process's clock less the time this process did not run."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def heard(self) -> None:
        self.last = time.monotonic()

    def forgive(self, seconds: float) -> None:
        self.last += seconds

    def quiet(self) -> float:
        return time.monotonic() - self.last


class Pace:
    """Sleeps in steps and tells how much longer one took than it should: this process was stopped or starved."""

    def __init__(self, step: float) -> None:
        self._step = step

    async def sleep(self) -> float:
        before = time.monotonic()
        await asyncio.sleep(self._step)
        return max(0.0, time.monotonic() - before - 2 * self._step)
