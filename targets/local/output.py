"""Standard output without Python's buffer in between.

`Direct` writes text to the descriptor behind a stream at once. The thread that shows a run may hang in a write to a
terminal that takes nothing; it must then not hold the lock of `sys.stdout`, which the interpreter wants when it ends.
A stream that has no descriptor (a capture in a test) is written to as it is.
"""

from __future__ import annotations

import io
import os
import select
from typing import TextIO


class Direct(io.TextIOBase):
    """See the module's docstring. Characters that the stream's encoding lacks are replaced."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._descriptor: int | None = None
        try:
            stream.flush()
            self._descriptor = stream.fileno()
        except (OSError, ValueError):  # io.UnsupportedOperation is both
            pass

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        try:
            return self._stream.isatty()
        except ValueError:  # closed
            return False

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        data = text.encode(self._encoding, "replace")
        if self._descriptor is None:
            self._stream.write(data.decode(self._encoding))
            return len(text)
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:  # somebody made the terminal non-blocking
                select.select([], [self._descriptor], [])
        return len(text)

    def flush(self) -> None:
        if self._descriptor is None:
            self._stream.flush()
