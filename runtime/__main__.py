"""Run one task of a run, or one node of it. Started by engines, not by users.

    python -m flowc.runtime step NAME [--run RUN] [--ix INDEXES]
    python -m flowc.runtime decide NAME [--run RUN] [--ix INDEXES]

INDEXES are those of the loops around the task, outermost first: `3.0`. Everything else comes from the environment.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback

_USAGE = "usage: python -m flowc.runtime (step | decide) NAME [--run RUN] [--ix INDEXES]"


def main(argv: list[str]) -> int:
    """The node's exit code; see `flowc.runtime.errors` for what each means."""
    began = time.monotonic()
    options = _options(argv[2:])
    if len(argv) < 2 or argv[0] not in ("step", "decide") or options is None:
        _say(_USAGE)
        return 64
    from flowc.runtime.errors import FAULT, INTERNAL, STORE, Stop
    from flowc.runtime.identity import identify
    from flowc.runtime.store import StoreError, open_store

    try:
        identity = identify(argv[1], options.get("--run"), os.environ, options.get("--ix", ""))
        store = open_store(identity.store)
        if argv[0] == "decide":
            from flowc.runtime.decide import run_decision

            return run_decision(identity, store)
        from flowc.runtime.gang import Timing
        from flowc.runtime.step import supervise

        timing = Timing(peer_timeout=_peer_timeout(Timing().peer_timeout))
        return supervise(identity, store, timing, began)
    except Stop as stop:
        _say(f"flowc: {stop.message}")
        return stop.code
    except StoreError as error:
        _say(f"flowc: {error}")
        return STORE
    except Exception:
        _say(f"{traceback.format_exc()}flowc: {FAULT}")
        return INTERNAL


def _options(words: list[str]) -> dict[str, str] | None:
    """The options by name; None where they are not as in the usage line."""
    names, values = words[::2], words[1::2]
    if len(names) != len(values) or len(set(names)) != len(names) or not set(names) <= {"--run", "--ix"}:
        return None
    return dict(zip(names, values, strict=True))


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
