"""YAML text for Kubernetes and CloudFormation, the same bytes every time.

Takes plain data; gives text. PyYAML follows YAML 1.1 loosely and leaves strings such as `1e-4`, `08` or `y` bare, which
other readers take for numbers and booleans. So only strings that nothing can mistake stay bare; all others are
double-quoted, `Block`s are written as literal blocks. No aliases, no folding (lines broken inside `{{ }}` have caused
trouble), keys in the order of the data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    _Base = yaml.SafeDumper
else:
    # libyaml's emitter where PyYAML was built with it: the same text, several times faster.
    _Base = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_BARE = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
# The largest width that libyaml takes: a C int.
_ONE_LINE = 2**31 - 1


class Block(str):
    """Text that is shown as it is. Printable ASCII without trailing spaces, as JSON text is."""

    __slots__ = ()


class Dumper(_Base):
    """A dumper of our own: representers are registered on this class only, never on PyYAML's."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # PyYAML's signature
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    bare = _BARE.fullmatch(text) and text.lower() not in _RESERVED
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if bare else '"')


def _block(dumper: yaml.SafeDumper, text: Block) -> yaml.ScalarNode:
    # libyaml's emitter wants strings themselves, no subclass.
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


Dumper.add_representer(str, _text)
Dumper.add_representer(Block, _block)


def dump(document: Any) -> str:
    """One document, without a header."""
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, default_flow_style=False, width=_ONE_LINE)


def comment(lines: Iterable[str]) -> str:
    """Comment lines. What is not ASCII is escaped: a file name may hold any character, also a line break."""
    return "".join(f"# {line.encode('unicode_escape').decode('ascii')}\n" for line in lines)
