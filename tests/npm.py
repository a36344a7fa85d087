"""Programs from npm that tests use: installed on first use, just as the committed lock file says."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache" / "npm"


def installed(home: Path) -> Path:
    """The folder with the node_modules of `home`'s package-lock.json, made if it is not there or is another version."""
    folder = CACHE / home.name
    folder.mkdir(parents=True, exist_ok=True)
    lock = (home / "package-lock.json").read_bytes()
    with (CACHE / f"{home.name}.lock").open("w") as guard:  # test processes may run at the same time
        fcntl.flock(guard, fcntl.LOCK_EX)
        marker = folder / "installed-lock.json"
        if not marker.exists() or marker.read_bytes() != lock:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(home / name, folder / name)
            subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)],
                check=True,
                capture_output=True,
                timeout=300,
                cwd=folder,
            )
            marker.write_bytes(lock)
    return folder
