"""`python -m flowc.runtime step NAME [--run RUN]`: run this node of a step. Started by engines, not by users."""

from __future__ import annotations

import os
import sys
import time
import traceback


def main(argv: list[str]) -> int:
    """The node's exit code; see `flowc.runtime.errors` for what each means."""
    began = time.monotonic()
    if len(argv) not in (2, 4) or argv[0] != "step" or (len(argv) == 4 and argv[2] != "--run"):
        print("usage: python -m flowc.runtime step NAME [--run RUN]", file=sys.stderr)  # noqa: T201
        return 64
    from flowc.runtime.errors import INTERNAL, STORE, Stop
    from flowc.runtime.gang import Timing
    from flowc.runtime.identity import identify
    from flowc.runtime.step import supervise
    from flowc.runtime.store import StoreError, open_store

    try:
        identity = identify(argv[1], argv[3] if len(argv) == 4 else None, os.environ)
        timing = Timing(peer_timeout=max(3.0, float(os.environ.get("FLOWC_PEER_TIMEOUT", Timing().peer_timeout))))
        return supervise(identity, open_store(identity.store), timing, began)
    except Stop as stop:
        print(f"flowc: {stop.message}", file=sys.stderr)  # noqa: T201
        return stop.code
    except StoreError as error:
        print(f"flowc: {error}", file=sys.stderr)  # noqa: T201
        return STORE
    except Exception:
        traceback.print_exc()
        print("flowc: this is a fault of flowc itself; please report it with the lines above", file=sys.stderr)  # noqa: T201
        return INTERNAL


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # A thread that hangs in a store that is away must not keep a node that has ended.
    os._exit(code)
