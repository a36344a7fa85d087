"""Exit codes of a node and the one exception that carries them.

`Stop(code, message)` ends a node: the message is printed for the user, without a traceback. Codes above the body's own
range are documented for users in `docs/reliability.md` and are the same on every target.
"""

from __future__ import annotations

BAD_PLAN = 64  # the plan, an input or an output is wrong; another attempt would end the same way
INTERNAL = 70  # a fault of flowc itself
PEER_FAILED = 71  # this node is well, another node of its gang failed
PEER_LOST = 72  # the link to another node of the gang broke or fell silent
START_TIMEOUT = 73  # not all nodes of the gang arrived in time
STORE = 74  # the artifact store could not be reached or gave wrong bytes

FAULT = "this is a fault of flowc itself; please report it with the lines above"


class Stop(Exception):
    """End this node with `code`; `message` tells the user what happened and what to do."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
