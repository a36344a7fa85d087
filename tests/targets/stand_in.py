"""A program called `python` that stands in for the runtime: it notes what a node was told and ends as it is told.

Put its folder first on PATH. Each start leaves a JSON file with argv and the FLOWC_*, AWS_BATCH_* and JOB_* variables.
`fail(step, times)` makes the step's first attempts end with 1, `hold(step)` makes it
run until it is killed.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = """#!{python} -S
import json, os, sys, time
folder = {folder!r}
step = sys.argv[4]
known = ("FLOWC_", "AWS_BATCH_", "JOB_")
env = {{name: value for name, value in os.environ.items() if name.startswith(known)}}
note = {{"argv": sys.argv[1:], "env": env, "at": time.time()}}
attempt = env.get("FLOWC_JOBSET_UID") or env.get("FLOWC_POD_UID") or env["AWS_BATCH_JOB_ID"]
path = os.path.join(folder, "notes", "%s.%d" % (step, os.getpid()))
with open(path + ".part", "w") as file:
    json.dump(note, file)
os.rename(path + ".part", path + ".json")
attempts = os.path.join(folder, "attempts", step)
os.makedirs(attempts, exist_ok=True)
open(os.path.join(attempts, attempt.split("#")[0]), "a").close()
wanted = os.path.join(folder, "fail", step)
times = int(open(wanted).read()) if os.path.exists(wanted) else 0
while os.path.exists(os.path.join(folder, "hold", step)):
    time.sleep(0.01)
sys.exit(1 if len(os.listdir(attempts)) <= times else 0)
"""


@dataclass(frozen=True)
class StandIn:
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> StandIn:
        for name in ("bin", "notes", "attempts", "fail", "hold"):
            (folder / name).mkdir(parents=True)
        program = folder / "bin" / "python"
        program.write_text(PROGRAM.format(python=sys.executable, folder=str(folder)))
        program.chmod(0o755)
        return cls(folder)

    @property
    def path(self) -> str:
        return f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def fail(self, step: str, times: int) -> None:
        (self.folder / "fail" / step).write_text(str(times))

    def hold(self, step: str) -> None:
        """The step's nodes do not end until something kills them."""
        (self.folder / "hold" / step).touch()

    def notes(self, step: str) -> list[dict[str, Any]]:
        """What each start of the step was told, in order of time."""
        found = [json.loads(path.read_text()) for path in (self.folder / "notes").glob(f"{step}.*.json")]
        return sorted(found, key=lambda note: note["at"])

    def attempts(self, step: str) -> int:
        folder = self.folder / "attempts" / step
        return len(list(folder.iterdir())) if folder.exists() else 0
