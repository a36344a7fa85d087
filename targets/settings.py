"""What document back ends make of a step's settings, the same for all of them.

Takes `Settings`; gives seconds and verdicts. Units that differ per platform are the back ends' own business.
"""

from __future__ import annotations

import re

from flowc.runtime.plan import Settings

# Seconds that an engine's clock gives a node beyond what the runtime enforces itself: pulling the image, fetching the
# bundle and inputs, publishing outputs. The engine's deadline is only the backstop for a runtime that cannot act.
DEADLINE_SLACK = 900

# The longest wait between two tries that is compiled. Waits double; engines compute them in types that overflow.
MAX_WAIT = 365 * 86400

# An image reference as container runtimes and registries accept it, with or without a digest.
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")


def deadline(settings: Settings) -> int | None:
    """Seconds after which the engine ends an attempt whatever it does; None where the step has no timeout."""
    return None if settings.timeout is None else settings.start_timeout + settings.timeout + DEADLINE_SLACK


def last_wait(settings: Settings) -> int:
    """Seconds before the last retry (0: no retry). The doubling is bounded at 64, far beyond `MAX_WAIT`."""
    return settings.retry_wait << min(settings.retries - 1, 64) if settings.retries else 0


def is_image(text: str) -> bool:
    return _IMAGE.fullmatch(text) is not None
