"""What `flowc check` costs for large flows: CPU seconds (user and system) of whole processes, median of several.

Takes nothing but an optional number of rounds; prints a table and exits 1 if a target is missed. The absolute targets
are for a quiet machine; the ratios, to a bare `import yaml` and between sizes, hardly depend on it.

    python -m tests.bench.scale [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import shapes
from tests.bench.startup import FLOWC, ROOT, cpu_seconds


@dataclass(frozen=True, slots=True)
class Case:
    """`text` makes the flow; `target` is in CPU seconds. `most`: so many times the cost of the case named `of`."""

    name: str
    text: Callable[[], str]
    target: float | None = None
    of: str = ""
    most: float = 0.0


CASES = (
    Case("10 steps", lambda: shapes.mixed(10), 0.25),
    Case("1,000 steps", lambda: shapes.mixed(1000), 0.6),
    Case("10,000 steps", lambda: shapes.mixed(10_000), 5.0, "1,000 steps", 12),
    Case("250 diamonds", lambda: shapes.diamonds(250), 1.0),
    Case("50 blocks deep", lambda: shapes.nested(50)),
    Case("a chain of 1,000", lambda: shapes.chain(1000)),
    Case("a chain of 10,000", lambda: shapes.chain(10_000), None, "a chain of 1,000", 12),
    Case("the same, last step first", lambda: shapes.backward_chain(10_000), None, "a chain of 1,000", 15),
    Case("10,000 beside each other", lambda: shapes.wide(10_000)),
)
_GRAMMAR = """
import time, lark
from flowc.dsl import lalr
start = time.process_time()
lalr.parser()
print(time.process_time() - start)
"""
_GRAMMAR_TARGET = 0.040


def grammar_seconds() -> float:
    done = subprocess.run([sys.executable, "-c", _GRAMMAR], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    yaml = (sys.executable, "-c", "import yaml")
    with tempfile.TemporaryDirectory() as folder:
        commands = [yaml]
        for number, case in enumerate(CASES):
            path = Path(folder, f"{number}.flow")
            path.write_text(case.text())
            commands.append((str(FLOWC), "check", str(path)))
        cpu_seconds(commands[1])  # writes .pyc files and the cache of the grammar
        samples = [[*map(cpu_seconds, commands), grammar_seconds()] for _ in range(rounds)]
    bare, *medians, grammar = [statistics.median(column) for column in zip(*samples, strict=True)]

    by_name = dict(zip((case.name for case in CASES), medians, strict=True))
    lines = [f"{'flowc check':30} {'CPU s':>7} {'ratio':>7} {'target':>7}", f"{'import yaml':30} {bare:7.3f}"]
    missed = grammar > _GRAMMAR_TARGET
    for case, median in zip(CASES, medians, strict=True):
        times = f"  {median / by_name[case.of]:.1f} x {case.of}, target {case.most:g}" if case.of else ""
        late = (case.target is not None and median > case.target) or (
            bool(case.of) and median > case.most * by_name[case.of]
        )
        missed |= late
        target = "" if case.target is None else f"{case.target:.2f}"
        lines.append(
            f"{case.name:30} {median:7.3f} {median / bare:7.2f} {target:>7}{times}{'  missed' if late else ''}"
        )
    late_grammar = "  missed" if grammar > _GRAMMAR_TARGET else ""
    lines.append(
        f"{'loading the grammar':30} {grammar:7.3f} {grammar / bare:7.2f} {_GRAMMAR_TARGET:7.3f}{late_grammar}"
    )
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
