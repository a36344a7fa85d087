"""What a local run may be told besides the plan, the bundle and the parameters.

Takes nothing and imports nothing heavy, so that the command line can build it before anything else is loaded.
`RunOptions()` is a valid set: the store under `.flowc/` of the current folder, as many steps at once as the cores
of this machine allow, a live table where the output is a terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of `flowc run`.

    `store`: URL or path of the artifact store; None is `.flowc/store` under the current folder.
    `jobs`: at most so many steps at once (at least 1); None is no bound of its own.
    `cpus`: cores to share out among the steps (above 0); None is what this process may use.
    `color`: None decides by NO_COLOR, FORCE_COLOR and whether the output is a terminal.
    `live`: a live table; None means on a terminal only.
    `source_path`: the flow file, as the user named it, for messages.
    """

    store: str | None = None
    jobs: int | None = None
    cpus: float | None = None
    color: bool | None = None
    live: bool | None = None
    source_path: Path | None = None
