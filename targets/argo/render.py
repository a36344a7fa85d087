"""render: documents as files. Takes `Documents`; gives `OutFile`s with YAML text, the same bytes every time.

PyYAML follows YAML 1.1 loosely and leaves strings such as `1e-4`, `08` or `y` bare, which Kubernetes reads as numbers
and booleans. So only strings that nothing can mistake stay bare; all others are double-quoted. No aliases, no folding
(lines broken inside `{{ }}` have caused trouble), keys in the order they were emitted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from flowc.compiler.model import OutFile

from .emit import Documents
from .expressions import Manifest

if TYPE_CHECKING:
    _Base = yaml.SafeDumper
else:
    # libyaml's emitter where PyYAML was built with it: eight times faster, the same text.
    _Base = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_BARE = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
# The largest width that libyaml takes: a C int.
_ONE_LINE = 2**31 - 1


class Dumper(_Base):
    """A dumper of our own: representers are registered on this class only, never on PyYAML's."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # PyYAML's signature
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    bare = _BARE.fullmatch(text) and text.lower().lstrip(".") not in _RESERVED
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if bare else '"')


def _block(dumper: yaml.SafeDumper, text: Manifest) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")


Dumper.add_representer(str, _text)
Dumper.add_representer(Manifest, _block)


def render(documents: Documents) -> tuple[OutFile, ...]:
    return (
        OutFile("workflow-template.yaml", _file(documents.origin, (documents.workflow_template,))),
        OutFile("rbac.yaml", _file(documents.origin, documents.rights)),
    )


def _file(origin: tuple[str, ...], documents: tuple[Any, ...]) -> str:
    # A file name may hold any character; a line break would end the comment.
    header = "".join(f"# {line.encode('unicode_escape').decode('ascii')}\n" for line in origin)
    return header + "---\n".join(_yaml(document) for document in documents)


def _yaml(document: Any) -> str:
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, default_flow_style=False, width=_ONE_LINE)
