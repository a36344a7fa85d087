"""Validators from the schemas in `tests/schemas`, with the conversions that SOURCES.md there prescribes.

The strict CRD schema is the judge: it knows every field and every limit. Argo's own JSON schema is a second opinion.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parents[2] / "schemas"
CRD_FILES = {
    "Workflow": "argoproj.io_workflows.crd-openapi.json",
    "WorkflowTemplate": "argoproj.io_workflowtemplates.crd-openapi.json",
    "CronWorkflow": "argoproj.io_cronworkflows.crd-openapi.json",
    "JobSet": "jobset.x-k8s.io_jobsets.crd-openapi.json",
}
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
# Keywords whose value is one schema, a list of schemas, or a map of schemas.
ONE, MANY, NAMED = ("items", "additionalProperties", "not"), ("allOf", "anyOf", "oneOf"), ("properties",)


def convert(schema: Any) -> Any:
    """A CRD's structural schema as a strict JSON schema: IntOrString, no formats, no unknown fields."""
    if not isinstance(schema, dict):
        return schema
    found = {k: v for k, v in schema.items() if not (k == "format" and isinstance(v, str))}
    if found.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
        found["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    for key in ONE:
        if key in found:
            found[key] = convert(found[key])
    for key in MANY:
        if key in found:
            found[key] = [convert(item) for item in found[key]]
    for key in NAMED:
        if key in found:
            found[key] = {name: convert(item) for name, item in found[key].items()}
    open_ended = found.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in found
    if "properties" in found and not open_ended:
        found["additionalProperties"] = False
    return found


@functools.cache
def strict_validator(kind: str) -> Draft202012Validator:
    schema = convert(json.loads((SCHEMAS / CRD_FILES[kind]).read_text())["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}  # a CRD says nothing about ObjectMeta
    return Draft202012Validator(schema)


@functools.cache
def json_schema_validator(kind: str) -> Draft202012Validator:
    whole = json.loads((SCHEMAS / "argo-workflows.schema.json").read_text())
    # Published as a plain string, so that an integer limit or deadline would be a fault.
    whole["definitions"][INT_OR_STRING] = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    reference = f"#/definitions/io.argoproj.workflow.v1alpha1.{kind}"
    return Draft202012Validator({"definitions": whole["definitions"], "$ref": reference})


def _faults(validator: Draft202012Validator, document: Mapping[str, Any]) -> list[str]:
    return [f"{error.json_path}: {_short(error.message)}" for error in validator.iter_errors(document)]


def _short(message: str) -> str:
    """jsonschema puts the whole offending value before its verdict."""
    return message if len(message) <= 300 else f"{message[:150]} ... {message[-150:]}"


def validate_strict(document: Mapping[str, Any]) -> list[str]:
    """WorkflowTemplate, Workflow or CronWorkflow by its CRD, unknown fields refused."""
    kind = document.get("kind")
    if kind not in CRD_FILES or kind == "JobSet":
        return [f"$.kind: no schema for {kind!r}"]
    return _faults(strict_validator(kind), document)


def validate_json_schema(document: Mapping[str, Any]) -> list[str]:
    """The same kinds by Argo's JSON schema, which refuses less."""
    return _faults(json_schema_validator(str(document.get("kind"))), document)


def validate_jobset(document: object) -> list[str]:
    """A JobSet manifest after substitution, by its CRD."""
    if not isinstance(document, Mapping):
        return [f"$: not an object but {document!r}"]
    return _faults(strict_validator("JobSet"), document)
