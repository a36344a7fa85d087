"""Settings as other tools have them: what is written here in their place, and what of it `flowc check --fix` may do."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.compiler.driver import check_source
from flowc.dsl import tables
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source


def said(line: str) -> Diagnostic:
    """The only thing that is said of a step with this line."""
    text = f'flow f {{\n  param q: bool = true\n  step a {{\n    in q\n    {line}\n    run ["x", q]\n  }}\n}}\n'
    (found,) = check_source(Source("t.flow", text), Path("/nowhere")).diagnostics
    return found


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("nodes = 4", "the number of nodes stands in the step's head: `step NAME parallel(4) {`"),
        ("replicas = q", "the number of nodes stands in the step's head: `step NAME parallel(q) {`"),
        ("when = q", "a condition stands around the step: `if q { step NAME { … } }`"),
        ('condition = "q"', "a condition stands around the step: `if q { step NAME { … } }`"),
        ('when = "q > 1"', "a condition stands around the step: `if CONDITION { step NAME { … } }`"),
        (
            'with_items = ["a"]',
            "for each item of a list, in a loop around it: `foreach item in LIST { step NAME { … } }`",
        ),
        (
            "for_each = q",
            "for each item of a list, in a loop around it: `foreach item in q { step NAME { … } }`",
        ),
        ("needs = b", "write `after b`, or nothing where an input of the step comes from there"),
        ("depends = [b, c]", "write `after b, c`, or nothing where an input of the step comes from there"),
        ('depends_on = ["b"]', "write `after b`, or nothing where an input of the step comes from there"),
        ('description = "trains"', "write it above, in lines that begin with `##`"),
    ],
)
def test_what_is_a_setting_elsewhere(line: str, remedy: str) -> None:
    found = said(line)
    assert (found.code, found.help, found.fix) == ("F0401", (remedy,), None)


def test_what_is_a_setting_here_needs_no_other_form() -> None:
    rows = (
        *tables.SETTINGS.values(),
        *tables.SECRETS.values(),
        *(row for target in tables.TARGETS.values() for row in target.settings),
        *(row for framework in tables.FRAMEWORKS.values() for row in framework.settings),
    )
    assert not tables.FORMS.keys() & {name for row in rows for name in (row.name, *row.aliases)}


@pytest.mark.parametrize(
    ("line", "meant", "certain"),
    [
        *((f"allow_failure = {word}", "true", True) for word in ("yes", "True", "TRUE", '"True"', '"yes"')),
        *((f"allow_failure = {word}", "false", True) for word in ("no", "off", "False", '"false"')),
        ("allow_failure = 1", "true", False),
        ("allow_failure = 0", "false", False),
        ('memory = "16GiB"', "16GiB", True),
        ('memory = "16Gi"', "16GiB", True),
        ('memory = "512Mi"', "512MiB", True),
        ('memory = "16 GiB"', "16GiB", True),
        # To some a GB has ten to the ninth bytes.
        ('memory = "16G"', "16GiB", False),
        ('memory = "16 GB"', "16GiB", False),
        ("memory = 16", "16GiB", False),
        ('timeout = "30 min"', "30m", True),
        ('timeout = "1h30m"', "90m", True),
        ('timeout = "2 hours"', "2h", True),
        ("cpu = 500m", "0.5", True),
        ("cpu = 2000m", "2", True),
        ('cpu = "500m"', "0.5", True),
        ('cpu = "2"', "2", True),
        ('gpu = "1"', "1", True),
    ],
)
def test_a_value_in_the_manner_of_others(line: str, meant: str, certain: bool) -> None:
    found = said(line)
    assert (found.code, found.help) == ("F0403", (f"write `{meant}`",))
    assert found.fix is not None
    assert ([edit.text for edit in found.fix.edits], found.fix.certain) == ([meant], certain)


@pytest.mark.parametrize(
    ("line", "meant", "certain"), [("memory = 512M", "512MiB", False), ("memory = 16Gi", "16GiB", True)]
)
def test_a_unit_of_others(line: str, meant: str, certain: bool) -> None:
    found = said(line)
    assert (found.code, found.help[0]) == ("F0111", f"write `{meant}`")
    assert found.fix is not None
    assert ([edit.text for edit in found.fix.edits], found.fix.certain) == ([meant], certain)


@pytest.mark.parametrize(
    "line",
    [
        'memory = "lots"',
        'memory = "16 30 GiB"',
        "memory = 2h",
        "memory = 0",
        "cpu = 2s",
        "cpu = 5h",
        'cpu = "5h"',
        "gpu = 500m",
        'gpu = "500m"',
        'gpu = "0.5"',
        "retries = 1.5",
        "allow_failure = 2",
        'allow_failure = "maybe"',
    ],
)
def test_what_nobody_can_guess_is_left_to_an_example(line: str) -> None:
    found = said(line)
    assert (found.code, found.fix) == ("F0403", None)
    assert found.help == ()
