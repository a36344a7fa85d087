"""The documents of the example, as `flowc compile -o` writes them, before every validator there is."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.engines.argo import oracles as argo
from tests.engines.aws import oracles as aws
from tests.targets.deployed import compile_flow

DIGITS = Path(__file__).parents[2] / "examples/digits_torch/digits.flow"


def test_argo_documents(tmp_path: Path) -> None:
    compiled = compile_flow(DIGITS, "argo", "s3://bucket/prefix", tmp_path / "out")
    template = yaml.safe_load(compiled.text("workflow-template.yaml"))
    rights = list(yaml.safe_load_all(compiled.text("rbac.yaml")))

    assert argo.validate_strict(template) == []
    assert argo.validate_json_schema(template) == []
    assert argo.validate_hera(template) == []
    assert argo.lint([template, *rights]) == []


def test_aws_documents(tmp_path: Path) -> None:
    compiled = compile_flow(DIGITS, "sfn", "s3://bucket/prefix", tmp_path / "out")
    machine = compiled.text("state-machine.asl.json")
    jobs = sorted((compiled.folder / "job-definitions").iterdir())

    assert aws.asl_validator(machine) == []
    assert aws.cfn_lint(compiled.text("template.yaml")) == []
    assert [job.stem for job in jobs] == ["evaluate", "prepare", "report", "train"]
    for job in jobs:
        assert aws.botocore_shape("batch", "RegisterJobDefinition", json.loads(job.read_text())) == []
    assert json.loads((compiled.folder / "job-definitions/train.json").read_text())["type"] == "multinode"
