"""Running something as if this were not root: CI is, and to root no file is closed.

Takes a command; gives it with util-linux's `setpriv` in front where this process is root, so that file modes count.
"""

from __future__ import annotations

import os
from collections.abc import Sequence


def under_file_modes(command: Sequence[str]) -> list[str]:
    """The command without root's right to read and write everything."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
