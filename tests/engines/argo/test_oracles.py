"""The validators accept what they should and object to what they should: an oracle that says nothing is worthless."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from .oracles import lint, validate_hera, validate_jobset, validate_json_schema, validate_strict
from .samples import flow, gang, job, jobset, one, sh

MAIN = "- {name: main, dag: {tasks: [{name: a, template: work}, {name: b, template: gang, depends: a.Succeeded}]}}\n"
WORK = sh("work", "true", retryStrategy={"limit": "2"})
GOOD: dict[str, Any] = json.loads(flow(MAIN + WORK + gang(jobset(("node", job("true"))), name="gang")))


def changed(path: list[str | int], value: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(GOOD))
    place: Any = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return document


TASK: list[str | int] = ["spec", "templates", 0, "dag", "tasks"]


def test_a_good_document_has_no_faults() -> None:
    assert validate_strict(GOOD) == []
    assert validate_json_schema(GOOD) == []
    assert validate_hera(GOOD) == []
    assert lint([GOOD]) == []


def test_the_strict_schema_knows_fields_limits_and_enums() -> None:
    assert validate_strict(changed(["spec", "templates", 1, "container", "imagee"], "x"))
    assert validate_strict(changed(TASK, [{"name": f"t{i}", "template": "work"} for i in range(201)]))
    assert validate_strict(changed(["spec", "templates", 1, "retryStrategy"], {"retryPolicy": "Sometimes"}))
    assert validate_strict({"kind": "Pod"}) == ["$.kind: no schema for 'Pod'"]


def test_int_or_string_may_be_either() -> None:
    for limit in (2, "2"):
        document = changed(["spec", "templates", 1, "retryStrategy", "limit"], limit)
        assert validate_strict(document) == validate_json_schema(document) == []
    assert validate_json_schema(changed(["spec", "templates", 1, "retryStrategy", "limit"], 0.5))


def test_a_field_called_format_is_not_taken_for_a_format() -> None:
    document = changed([*TASK, 0, "withSequence"], {"count": "2", "format": "%03d"})
    assert validate_strict(document) == []


def test_hera_objects_in_a_process_of_its_own() -> None:
    text = yaml.safe_dump({"a": "y\n\nx\n"})
    assert len(validate_hera(GOOD, changed(["spec", "templates", 1, "container", "args"], [{}]))) == 1
    assert yaml.safe_dump({"a": "y\n\nx\n"}) == text


def test_a_jobset_has_its_own_schema() -> None:
    good = jobset(("node", job("true")))
    assert validate_jobset(good) == []
    assert validate_jobset({**good, "spec": {**good["spec"], "replicas": 1}})
    assert validate_jobset(jobset(("node", {**job("true"), "parallelism": "2"})))
    assert validate_jobset("text")


# Lint

SPEC = ["spec"]
LINT: list[tuple[list[str | int], Any, str]] = [
    (["metadata", "name"], "x" * 64, "at most 63"),
    (["metadata", "name"], "Sample", "must match"),
    ([*SPEC, "entrypoint"], "nope", "unknown template 'nope'"),
    ([*SPEC, "onExit"], "nope", "unknown template 'nope'"),
    ([*SPEC, "templates", 1, "name"], "other", "nothing calls it"),
    ([*SPEC, "templates", 1, "name"], "main", "is not unique"),
    ([*SPEC, "templates", 1, "name"], "w_rk", "must match"),
    ([*SPEC, "templates", 1, "suspend"], {"duration": "1"}, "exactly one type"),
    ([*SPEC, "templates", 1, "parallelism"], 2, "not on a leaf"),
    ([*SPEC, "templates", 0, "activeDeadlineSeconds"], 2, "not on a DAG"),
    ([*SPEC, "templates", 1, "timeout"], "10", "needs a unit"),
    ([*SPEC, "templates", 1, "container", "image"], "", "has no image"),
    ([*SPEC, "templates", 1, "container", "name"], "wait", "reserved"),
    ([*SPEC, "templates", 1, "container", "volumeMounts"], [{"name": "v", "mountPath": "/v"}], "unknown volume 'v'"),
    ([*SPEC, "templates", 1, "inputs"], {"parameters": [{"name": "x"}]}, "inputs.parameters.x was not supplied"),
    ([*SPEC, "templates", 1, "inputs"], {"parameters": [{"name": "x", "value": "1"}] * 2}, "'x' is not unique"),
    ([*SPEC, "templates", 0, "inputs"], {"parameters": [{"name": "x"}]}, "main.inputs.parameters.x was not supplied"),
    ([*SPEC, "templates", 1, "outputs"], {"parameters": [{"name": "x", "valueFrom": {"jqFilter": "."}}]}, "a source"),
    ([*SPEC, "templates", 1, "container", "args"], ["{{inputs.parameters.x}}"], "failed to resolve"),
    ([*SPEC, "templates", 1, "container", "args"], ["{{workflow.parameters.x}}"], "failed to resolve"),
    ([*SPEC, "templates", 1, "container", "args"], ["{{=workflow.parameters.x}}"], "failed to resolve"),
    ([*SPEC, "templates", 1, "container", "args"], ["{{workflow.status}}"], "failed to resolve"),
    ([*SPEC, "templates", 1, "container", "args"], ["{{=nope(1)}}"], "unknown function"),
    ([*SPEC, "templates", 1, "container", "args"], ["{{ x"], "has no end"),
    ([*SPEC, "templates", 2, "resource", "manifest"], "a: [", "is not YAML"),
    ([*SPEC, "templates", 2, "resource", "manifest"], "a: {{retries}}", "failed to resolve {{retries}}"),
    ([*SPEC, "templates", 2, "resource", "manifest"], "a: 1", "Additional properties"),
    ([*SPEC, "templates", 2, "resource"], {"action": "create"}, "one of manifest"),
    ([*SPEC, "templates", 2, "resource"], {"action": "delete"}, "needs a manifest or flags"),
    ([*SPEC, "templates", 2, "resource"], {"action": "delete", "flags": ["a"], "failureCondition": "a"}, "takes no"),
    ([*SPEC, "templates", 2, "resource", "action"], "make", "unknown 'make'"),
    ([*SPEC, "arguments"], {"parameters": [{"name": "a b", "value": ""}]}, "must match"),
    ([*SPEC, "arguments"], {"parameters": [{"name": "a", "value": "x", "enum": ["y"]}]}, "not in the enum"),
    (TASK, [], "needs a task"),
    ([*TASK, 1, "template"], "nope", "unknown template 'nope'"),
    ([*TASK, 1, "templateRef"], {"name": "a", "template": "b"}, "one of template and templateRef"),
    ([*TASK, 1, "name"], "a", "is not unique"),
    ([*TASK, 1, "name"], "1b", "starts with a digit"),
    ([*TASK, 1, "depends"], "z.Succeeded", "unknown task 'z'"),
    ([*TASK, 1, "depends"], "b.Succeeded", "a cycle"),
    ([*TASK, 1, "depends"], "a.Succeded", "invalid"),
    ([*TASK, 1, "depends"], "a.AnySucceeded", "is for a fan-out"),
    ([*TASK, 1, "dependencies"], ["a"], "excludes depends"),
    ([*TASK, 1, "arguments"], {"parameters": [{"name": "a"}]}, "has no value"),
    ([*TASK, 1, "arguments"], {"parameters": [{"name": "a", "value": "{{item}}"}]}, "failed to resolve"),
    ([*TASK, 0, "when"], "{{tasks.b.status}}", "failed to resolve {{tasks.b.status}}"),
    ([*TASK, 1, "when"], "{{tasks.a.outputs.parameters.x}}", "failed to resolve"),
    ([*TASK, 1, "withSequence"], {"count": "1", "end": "2"}, "count excludes end"),
    ([*TASK, 1, "hooks"], {"running": {"template": "work"}}, "needs an expression"),
]


@pytest.mark.parametrize(("path", "value", "expected"), LINT)
def test_lint_objects(path: list[str | int], value: Any, expected: str) -> None:
    faults = lint([changed(path, value)])
    assert any(expected in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ([*TASK, 1, "when"], "{{= tasks.a.status == 'Succeeded' }}"),
        ([*TASK, 1, "depends"], "a.Succeeded || a.Skipped"),
        ([*SPEC, "templates", 1, "container", "args"], ["{{retries}} {{=workflow.uid + node.name}} {{pod.name}}"]),
        ([*SPEC, "onExit"], "work"),
    ],
)
def test_lint_does_not_object(path: list[str | int], value: Any) -> None:
    assert lint([changed(path, value)]) == []


def test_lint_looks_into_the_manifest_with_sample_values() -> None:
    name = "f{{=sprig.trunc(16, sprig.sha256sum(workflow.uid + '/' + node.name))}}"
    text = json.dumps(jobset(("node", job("true")), name=name)).replace("2,", "{{=asInt(inputs.parameters['n'])}},")
    template = json.loads(one("true"))
    template["spec"]["templates"] = [json.loads(gang(text)[2:])]
    template["spec"]["templates"][0]["inputs"] = {"parameters": [{"name": "n", "value": "4"}]}
    assert lint([template]) == []
    template["spec"]["templates"][0]["resource"]["manifest"] = text.replace(name, name + "-" + "x" * 40)
    assert any("at most 63" in fault for fault in lint([template]))
    template["spec"]["templates"][0]["resource"]["manifest"] = text.replace('"restartPolicy": "Never", ', "")
    assert any("explicit Never" in fault for fault in lint([template]))


def test_lint_follows_an_input_into_the_manifest() -> None:
    template = json.loads(one("true"))
    body = jobset(("node", job("true")), name="{{=inputs.parameters.set}}", labels={"n": "{{inputs.parameters.set}}"})
    for name, fault in (("f-{{=sprig.trunc(4, workflow.uid)}}", None), ("F-{{retries}}", "RFC 1035")):
        leaf = json.loads(gang(body, retryStrategy={"limit": "1"})[2:])
        template["spec"]["templates"] = [{**leaf, "inputs": {"parameters": [{"name": "set", "value": name}]}}]
        assert [f for f in lint([template]) if "RFC 1035" in f] == [f for f in lint([template]) if fault]


def cron(**fields: Any) -> dict[str, Any]:
    spec = {"schedules": ["0 3 * * *"], "timezone": "UTC", "workflowSpec": {"workflowTemplateRef": {"name": "sample"}}}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": fields.pop("name", "n")},
            "spec": {**spec, **fields}}  # fmt: skip


def test_lint_of_a_schedule() -> None:
    assert lint([GOOD, cron()]) == validate_strict(cron()) == validate_json_schema(cron()) == []
    for fields, expected in (
        ({"name": "n" * 53}, "at most 52"),
        ({"schedules": []}, "is empty"),
        ({"schedules": ["0 3 * *"]}, "cannot be parsed"),
        ({"timezone": "Moon/Base"}, "unknown timezone"),
        ({"concurrencyPolicy": "Maybe"}, "unknown concurrencyPolicy"),
        ({"workflowSpec": {"workflowTemplateRef": {"name": "x"}}}, "unknown WorkflowTemplate"),
        ({"workflowSpec": {"workflowTemplateRef": {"name": "sample"}, "templates": []}}, "excludes templates"),
    ):
        assert any(expected in fault for fault in lint([GOOD, cron(**fields)])), expected
    needy = changed(["spec", "arguments"], {"parameters": [{"name": "p"}]})
    assert any("'p' has no value" in fault for fault in lint([needy, cron()]))
