"""The house itself: who may import whom, what a command loads, what is listed where."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from importlinter import configuration
from importlinter.application import use_cases

from flowc.dsl.version import VERSION

ROOT = Path(__file__).parents[1]
FLOW = ROOT / "examples" / "digits_torch" / "digits.flow"


def test_imports_point_one_way() -> None:
    configuration.configure()
    assert use_cases.lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None, no_logo=True)


def test_the_version_is_the_same_everywhere() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_check_loads_nothing_that_it_has_no_use_for() -> None:
    code = (
        "import sys\n"
        "from flowc.compiler.cli import main\n"
        f"code = main(['check', {str(FLOW)!r}])\n"
        "heavy = {'hera', 'boto3', 'rich', 'jsonschema', 'torch', 'networkx', 'yaml', 'psutil', 'cryptography'}\n"
        "print(*sorted(heavy & set(sys.modules)), code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_no_file_is_a_novel() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for package in ("compiler", "dsl", "runtime", "targets")
        for path in (ROOT / package).rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 500
    }
    assert long == {}
