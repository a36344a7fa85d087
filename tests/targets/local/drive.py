"""`drive.py PLAN FOLDER [OPTION]…`: run a plan as `flowc run` would.

Options: `stand-in` starts `stand_in.py` in place of the runtime, `nohup` ignores hangups as nohup(1) does, `jobs=N`,
`cpus=X`, `store=URL`, `source=PATH` (the flow file), `PARAM=JSON`.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from flowc.compiler.bundle import pack
from flowc.runtime.plan import load
from flowc.targets.local import RunOptions
from flowc.targets.local.attempt import runtime_command
from flowc.targets.local.launch import launch


def main() -> int:
    # As at a terminal, even where the tests run in the background of a shell, which makes them deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN if "nohup" in sys.argv else signal.SIG_DFL)
    text = Path(sys.argv[1]).read_text()
    plan = load(text)
    given = dict(option.split("=", 1) for option in sys.argv[3:] if "=" in option)
    stand_in = str(Path(__file__).with_name("stand_in.py"))
    source = given.pop("source", None)
    options = RunOptions(
        source_path=Path(source) if source else None,
        jobs=int(given.pop("jobs")) if "jobs" in given else None,
        cpus=float(given.pop("cpus")) if "cpus" in given else None,
        store=given.pop("store", None),
    )
    params = {name: json.loads(value) for name, value in given.items()}
    command = (lambda python, step, ix: (python, stand_in, step, ix)) if "stand-in" in sys.argv else runtime_command
    return launch(plan, pack(Path(sys.argv[2]), text), params, options, command=command)


if __name__ == "__main__":
    sys.exit(main())
