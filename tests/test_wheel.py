"""The wheel holds the whole product and nothing is missing from its declared dependencies.

The checkout is installed editable, which hides a package or a data file that the package list forgets, and the
development environment holds far more than a user's. So the wheel is built from a copy (a left-over `build/` would
ship stale files) and installed into an empty environment.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("compiler", "dsl", "runtime", "targets")

# These need an extra; without it they say which.
EXTRAS = {"flowc.runtime.store.cloud": "flowc[s3]"}

IMPORT_ALL = f"""
import importlib, sys
extras = {EXTRAS}
for name in sys.argv[1:]:
    if name.endswith("__main__"):
        continue
    try:
        importlib.import_module(name)
    except Exception as error:
        if extras.get(name, "?") not in str(error):
            raise
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}\n{done.stderr}"
    return done.stdout


def copy_of_the_checkout(target: Path) -> Path:
    target.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def source_folders() -> set[str]:
    """Import names of the folders that are packages."""
    return {
        ".".join(("flowc", *init.parent.relative_to(ROOT).parts))
        for package in PACKAGES
        for init in (ROOT / package).rglob("__init__.py")
    }


def modules_of(names: list[str]) -> list[str]:
    modules = (name.removesuffix(".py").replace("/", ".") for name in names if name.endswith(".py"))
    return sorted(module.removesuffix(".__init__") for module in modules)


def test_the_package_list_names_every_package_folder() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = config["tool"]["setuptools"]["packages"]
    assert set(listed) == source_folders()
    assert listed == sorted(set(listed))


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(tmp_path: Path) -> None:
    checkout = copy_of_the_checkout(tmp_path / "checkout")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, cwd=checkout)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("flowc/")]

    expected = {
        f"flowc/{file.relative_to(checkout)}"
        for package in PACKAGES
        for file in (checkout / package).rglob("*")
        if file.suffix in (".py", ".lark", ".md") or file.name == "py.typed"
    }
    assert expected - set(names) == set()
    assert {f"flowc/{package}/py.typed" for package in PACKAGES} <= set(names)
    assert any(name.endswith(".lark") for name in names)
    assert any(name.endswith(".md") for name in names)

    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    run(python, "-W", "error", "-c", IMPORT_ALL, *modules_of(names), cwd=tmp_path)
    flowc = tmp_path / "venv" / "bin" / "flowc"
    assert "compile" in run(flowc, "--help", cwd=tmp_path)
    assert run(flowc, "explain", "F0202", cwd=tmp_path).startswith("F0202: ")
