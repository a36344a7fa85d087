"""A supervisor whose store asks before and after every operation: `python gated_node.py STEP INDEXES`.

Every operation writes `before NUMBER METHOD KEY` and later `after …` to file descriptor `GATE_OUT` and then waits for
one byte on `GATE_IN`. The test holds an attempt at any point by not answering.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from flowc.runtime.gang import Timing
from flowc.runtime.identity import identify
from flowc.runtime.step import supervise
from flowc.runtime.store import open_store


class GatedStore:
    def __init__(self, store: Any) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._count = 0
        self._ask = int(os.environ["GATE_OUT"])
        self._answer = int(os.environ["GATE_IN"])

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def gated(key: str, *args: Any) -> Any:
            with self._lock:
                self._count += 1
                self._gate(f"before {self._count} {name} {key}")
                result = found(key, *args)
                self._gate(f"after {self._count} {name} {key}")
                return result

        return gated

    def _gate(self, line: str) -> None:
        os.write(self._ask, line.encode() + b"\n")
        os.read(self._answer, 1)


if __name__ == "__main__":
    identity = identify(sys.argv[1], None, os.environ, sys.argv[2])
    store: Any = GatedStore(open_store(identity.store))
    os._exit(supervise(identity, store, Timing(), time.monotonic()))
