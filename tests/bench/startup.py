"""What the commands cost: CPU seconds (user and system, children included) of whole processes, median of several.

Takes nothing but an optional number of rounds; prints a table and exits 1 if a target is missed. The rounds go through
all commands in turn, so that a busy moment of the machine hits all of them alike. The absolute figures depend on the
machine; the ratios to a bare `import yaml`, measured in the same rounds, hardly do.

    python -m tests.bench.startup [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOW = ROOT / "examples" / "digits_torch" / "digits.flow"
FLOWC = Path(sys.executable).parent / "flowc"


@dataclass(frozen=True, slots=True)
class Case:
    """One command; `target` is the most CPU seconds it should cost, where there is a target."""

    name: str
    command: tuple[str, ...]
    target: float | None = None


def cases(folder: Path) -> tuple[Case, ...]:
    store = ("--store", "s3://bucket/prefix")
    out = ("--output", str(folder))
    return (
        Case("python -c 'import yaml'", (sys.executable, "-c", "import yaml")),
        Case("flowc --help", (str(FLOWC), "--help")),
        Case("flowc check", (str(FLOWC), "check", str(FLOW)), target=0.30),
        Case("flowc compile --target argo", (str(FLOWC), "compile", str(FLOW), "--target", "argo", *store, *out), 0.40),
        Case("flowc compile --target sfn", (str(FLOWC), "compile", str(FLOW), "--target", "sfn", *store, *out), 0.40),
        Case("Hera, the same graph", (sys.executable, "-m", "tests.bench.hera_digits")),
    )


def cpu_seconds(command: tuple[str, ...]) -> float:
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    with process.stderr as stream:
        complaint = stream.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{complaint}")
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder:
        table = cases(Path(folder))
        for case in table:
            cpu_seconds(case.command)  # writes .pyc files, fills the page cache
        samples = [[cpu_seconds(case.command) for case in table] for _ in range(rounds)]
    medians = [statistics.median(column) for column in zip(*samples, strict=True)]

    lines = [f"{'':30} {'CPU s':>7} {'ratio':>7} {'target':>7}"]
    missed = 0
    for case, median in zip(table, medians, strict=True):
        late = case.target is not None and median > case.target
        missed += late
        target = "" if case.target is None else f"{case.target:.2f}"
        verdict = "  missed" if late else ""
        lines.append(f"{case.name:30} {median:7.3f} {median / medians[0]:7.2f} {target:>7}{verdict}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
