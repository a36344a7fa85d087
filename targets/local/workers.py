"""Work that may wait for the store, done beside the engine's thread.

`submit` hands over a function and what to do with its answer; the engine calls `take`, which does that in the engine's
own thread. The threads are few and daemons: one that hangs in a store that is away keeps nothing from ending, and
`forget` makes the engine deaf for whatever is still to come.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

_Queue: TypeAlias = "SimpleQueue[tuple[int, Callable[[], Any], Callable[[Any], None]] | None]"

_THREADS = 8


class Workers:
    """`on_answer` is called, from any thread, when there is something to take."""

    def __init__(self, on_answer: Callable[[], None]) -> None:
        self._on_answer = on_answer
        self._work: _Queue = SimpleQueue()
        self._answers: deque[tuple[int, Callable[[], None]]] = deque()
        self._threads = 0
        self._epoch = 0
        self._open = 0

    @property
    def is_idle(self) -> bool:
        """Every answer has been taken."""
        return self._open == 0

    def submit(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        self._open += 1
        self._work.put((self._epoch, work, then))
        if self._threads < min(self._open, _THREADS):
            self._threads += 1
            threading.Thread(target=self._run, args=(self._work,), daemon=True).start()

    def take(self) -> None:
        """Deal with the answers that have come. What went wrong in a thread is raised here."""
        while self._answers:
            epoch, deal = self._answers.popleft()
            if epoch == self._epoch:
                self._open -= 1
                deal()

    def forget(self) -> None:
        """Let the threads end, those that hang whenever they can; what is submitted from now on gets new ones."""
        for _ in range(self._threads):
            self._work.put(None)
        self._epoch += 1
        self._open = 0
        self._work = SimpleQueue()
        self._threads = 0

    def _run(self, queue: _Queue) -> None:
        while (item := queue.get()) is not None:
            epoch, work, then = item
            self._answers.append((epoch, _answer(work, then)))
            self._on_answer()


def _answer(work: Callable[[], Any], then: Callable[[Any], None]) -> Callable[[], None]:
    try:
        found = work()
    except BaseException as error:  # our own fault; the engine's thread knows how to end a run that has one
        fault = error

        def raises() -> None:
            raise fault

        return raises
    return lambda: then(found)
