"""`python -m flowc.runtime step NAME [--run RUN]`: run this node of a step. Started by engines, not by users."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback


def main(argv: list[str]) -> int:
    """The node's exit code; see `flowc.runtime.errors` for what each means."""
    began = time.monotonic()
    if len(argv) not in (2, 4) or argv[0] != "step" or (len(argv) == 4 and argv[2] != "--run"):
        _say("usage: python -m flowc.runtime step NAME [--run RUN]")
        return 64
    from flowc.runtime.errors import FAULT, INTERNAL, STORE, Stop
    from flowc.runtime.gang import Timing
    from flowc.runtime.identity import identify
    from flowc.runtime.step import supervise
    from flowc.runtime.store import StoreError, open_store

    try:
        identity = identify(argv[1], argv[3] if len(argv) == 4 else None, os.environ)
        timing = Timing(peer_timeout=_peer_timeout(Timing().peer_timeout))
        return supervise(identity, open_store(identity.store), timing, began)
    except Stop as stop:
        _say(f"flowc: {stop.message}")
        return stop.code
    except StoreError as error:
        _say(f"flowc: {error}")
        return STORE
    except Exception:
        _say(f"{traceback.format_exc()}flowc: {FAULT}")
        return INTERNAL


def _peer_timeout(default: float) -> float:
    from flowc.runtime.errors import BAD_PLAN, Stop

    text = os.environ.get("FLOWC_PEER_TIMEOUT", str(default))
    try:
        return max(3.0, float(text))
    except ValueError:
        raise Stop(BAD_PLAN, f"FLOWC_PEER_TIMEOUT is {text!r}, not a number of seconds") from None


def _say(message: str) -> None:
    with contextlib.suppress(OSError):  # that nobody listens must not change the exit code
        print(message, file=sys.stderr, flush=True)  # noqa: T201 - the node's output


def _open_standard_streams() -> None:
    """What is opened next must not get the number of a standard stream that was closed: output would go there."""
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            return


if __name__ == "__main__":
    _open_standard_streams()
    code = main(sys.argv[1:])
    # A thread that hangs in a store that is away must not keep a node that has ended.
    os._exit(code)
