"""What other people's rules say of a document: schemas, Hera's models, and Argo's lint rules.

Takes documents as plain dicts; gives lists of faults in words, empty when there are none: `validate_strict` (CRD),
`validate_json_schema` (Argo's weaker one), `validate_jobset`, `validate_hera`, `lint`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from .lint import lint
from .schemas import validate_jobset, validate_json_schema, validate_strict

__all__ = ["lint", "validate_hera", "validate_jobset", "validate_json_schema", "validate_strict"]

HERA = """
import json, sys
from hera.workflows import models
failed = []
for document in json.load(sys.stdin):
    try:
        getattr(models, document["kind"]).model_validate(document)
    except Exception as error:
        failed.append(f"{document['kind']} {document['metadata'].get('name')}: {error}")
json.dump(failed, sys.stdout)
"""


def validate_hera(*documents: Mapping[str, Any]) -> list[str]:
    """Hera's models, in a process of their own: importing Hera changes PyYAML's safe dumper for the whole process."""
    done = subprocess.run(
        [sys.executable, "-c", HERA],
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    faults: list[str] = json.loads(done.stdout)
    return faults
