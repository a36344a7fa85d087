"""render: documents as files. Takes `Documents`; gives `OutFile`s, the same bytes every time.

`template.yaml` is deployed; `state-machine.asl.json` and `job-definitions/STEP.json` show its parts in the platforms'
own form, with marks (see `marks`) where a deployment fills in.
"""

from __future__ import annotations

import json

from flowc.compiler.model import OutFile
from flowc.targets import yaml_text

from .emit import Documents


def render(documents: Documents) -> tuple[OutFile, ...]:
    return (
        OutFile("template.yaml", yaml_text.comment(documents.origin) + yaml_text.dump(documents.template)),
        OutFile("state-machine.asl.json", _json(documents.machine)),
        *(OutFile(f"job-definitions/{job.step}.json", _json(job.request)) for job in documents.jobs),
    )


def _json(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"
