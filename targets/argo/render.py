"""render: documents as files. Takes `Documents`; gives `OutFile`s with YAML text, the same bytes every time."""

from __future__ import annotations

from flowc.compiler.model import OutFile
from flowc.targets import yaml_text

from .emit import Documents


def render(documents: Documents) -> tuple[OutFile, ...]:
    header = yaml_text.comment(documents.origin)
    rights = "---\n".join(yaml_text.dump(document) for document in documents.rights)
    return (
        OutFile("workflow-template.yaml", header + yaml_text.dump(documents.workflow_template)),
        OutFile("rbac.yaml", header + rights),
    )
