"""Signals that end a run, turned into something an event loop can look at.

Within `with Interrupts() as interrupts`, SIGINT, SIGTERM and SIGHUP are only noted: `interrupts.received` lists them in
order and `interrupts.wake` becomes readable. A signal that was ignored when flowc started (nohup, a job in the
background of a script) stays ignored. Outside the main thread Python cannot take signals, and nothing is changed.
`poke` makes `wake` readable from any thread.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """`received` grows; `wake` is the read end of a pipe, to be emptied by `clear`."""

    def __init__(self) -> None:
        self.received: list[signal.Signals] = []
        self.wake, self._write = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(self._write, False)
        self._before: list[tuple[signal.Signals, object]] = []

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN and before is not None:
                    signal.signal(number, self._note)
                    self._before.append((number, before))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before:
            signal.signal(number, before)  # type: ignore[arg-type]
        # The pipe stays open: a late thread may still poke it, and a closed number may by then be another file.

    def poke(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it is readable already
            os.write(self._write, b".")

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self.wake, 4096):
                pass

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(signal.Signals(number))
        self.poke()
