"""The oracles object to what they should, and to nothing else."""

from __future__ import annotations

import json

from .oracles import asl_validator, botocore_shape, cfn_lint, submit_job_blocks
from .samples import chain, container, submit, template

GOOD = chain(Work=submit("Work", parameters={"Parameters": {"ix.$": "$.ix"}, "PropagateTags": True}))


def test_asl_validator_sees_a_target_that_does_not_exist() -> None:
    assert asl_validator(json.dumps(GOOD)) == []
    broken = {"StartAt": "Work", "States": {"Work": {**submit("Work"), "Next": "Missing"}}}
    assert any("Missing" in fault for fault in asl_validator(json.dumps(broken)))


def test_cfn_lint_sees_a_missing_property() -> None:
    good = template(GOOD, Work=container("true"))
    policy = {"Version": "2012-10-17", "Statement": []}
    good["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"] = policy
    good["Resources"]["Machine"]["Properties"]["Definition"]["States"]["Work"]["Parameters"].pop("PropagateTags")
    faults = cfn_lint(json.dumps(good))
    del good["Resources"]["Work"]["Properties"]["ContainerProperties"]["Image"]
    assert [fault for fault in cfn_lint(json.dumps(good)) if fault not in faults and "Image" in fault]


def test_botocore_sees_unknown_members_types_and_enumerations() -> None:
    assert botocore_shape("batch", "SubmitJob", {"jobName": "a", "jobQueue": "q", "jobDefinition": "d"}) == []
    faults = botocore_shape("batch", "SubmitJob", {"jobName": 1, "jobQueue": "q", "jobDefinition": "d", "x": 1})
    assert len(faults) == 2
    assert botocore_shape("batch", "RegisterJobDefinition", {"jobDefinitionName": "a", "type": "x"})


def test_submit_blocks_are_found_at_every_depth_and_judged() -> None:
    nested = chain(
        Both={
            "Type": "Parallel",
            "Branches": [
                chain(Items={"Type": "Map", "ItemProcessor": GOOD}),
                chain(Bad=submit("Bad", parameters={"Parameters": {"n": 1}})),
                chain(Worse=submit("Worse", parameters={"nodeOverrides": {}})),
                chain(Size=submit("Size", parameters={"NodeOverrides": {"NumNodes.$": "$.n"}})),
            ],
        }
    )
    blocks = {block.state: block for block in submit_job_blocks(json.dumps(nested))}
    assert blocks["Work"].faults == blocks["Size"].faults == []
    assert blocks["Work"].request["parameters"] == {"ix": "computed"}
    assert "Parameters" in blocks["Bad"].faults[0] or "parameters" in blocks["Bad"].faults[0]
    assert "'nodeOverrides'" in blocks["Worse"].faults[0]
