"""The record of a failed attempt, which the engine and `flowc show` read."""

from __future__ import annotations

import json

from flowc.runtime import layout
from flowc.runtime.gang import Cause
from flowc.runtime.identity import Identity
from flowc.runtime.store import Store


def record_failure(store: Store, identity: Identity, cause: Cause, message: str) -> bool:
    """Write the attempt's failure record, which is create-only; whether it is ours."""
    record = {"step": identity.step, "ix": identity.ix, "attempt": identity.attempt, "message": message}
    record |= cause.to_json() | {"code": cause.code}
    del record["at"]
    key = layout.failure_key(identity.flow, identity.run, identity.step, identity.attempt, identity.ix)
    data = json.dumps(record, sort_keys=True).encode()
    # The reply to an earlier try may have been lost.
    return store.put_new(key, data) or store.get(key) == data
