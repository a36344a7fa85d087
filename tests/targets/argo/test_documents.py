"""What the Argo target emits, held against rules that other people wrote and against what Argo does to text."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
import yaml

from flowc.runtime.plan import Param
from flowc.runtime.run_record import NOT_GIVEN
from flowc.targets import argo
from flowc.targets.argo import names, parameters
from tests.engines.argo import oracles
from tests.engines.argo.documents import check_workflow_template, load
from tests.targets.conftest import Golden
from tests.targets.hostile import HOSTILE
from tests.targets.plans import SAMPLES, build, diamond, linear, plan, step

Doc = dict[str, Any]


def files(of: Any, **options: Any) -> dict[str, str]:
    return {file.name: file.text for file in argo.render(argo.emit(build(of, **options)))}


def template(of: Any, **options: Any) -> Doc:
    document: Doc = yaml.safe_load(files(of, **options)["workflow-template.yaml"])
    return document


def templates(of: Any, **options: Any) -> dict[str, Doc]:
    return {each["name"]: each for each in template(of, **options)["spec"]["templates"]}


def manifest(gang: Doc) -> Doc:
    """The JobSet with every expression replaced by a text."""
    text = re.sub(r"\{\{=toJson\((?:(?!\}\}).)*\)\}\}", '"value"', gang["resource"]["manifest"])
    document: Doc = json.loads(text)
    return document


def env(container: Doc) -> Doc:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


@pytest.mark.parametrize("name", SAMPLES)
def test_golden(name: str, golden: Golden) -> None:
    for file, text in files(SAMPLES[name]()).items():
        golden(f"{name}.{file}", text)


@pytest.mark.parametrize("store", ["s3://bucket/prefix", None])
@pytest.mark.parametrize("name", SAMPLES)
def test_schemas_have_no_objection(name: str, store: str | None) -> None:
    document = template(SAMPLES[name](), store=store)
    assert oracles.validate_strict(document) == []
    assert oracles.validate_json_schema(document) == []
    for each in document["spec"]["templates"]:
        if "resource" in each and "manifest" in each["resource"]:
            assert oracles.validate_jobset(manifest(each)) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_lint_has_no_objection(name: str) -> None:
    # The linter puts "2" for every name, which no object can be called; Argo puts the input's value.
    text = json.dumps(template(SAMPLES[name]())).replace("{{=toJson(inputs.parameters.jobset)}}", '\\"f0\\"')
    assert oracles.lint([json.loads(text)]) == []


def test_without_a_store_a_config_map_says_where_it_is() -> None:
    store = env(templates(plan(step("a")), store=None)["a"]["container"])["FLOWC_STORE"]
    assert store == {"configMapKeyRef": {"name": "flowc", "key": "store"}}


def test_hera_reads_all() -> None:
    assert oracles.validate_hera(*(template(sample()) for sample in SAMPLES.values())) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_the_engine_knows_every_field(name: str) -> None:
    for document in load(files(SAMPLES[name]())["workflow-template.yaml"]):
        check_workflow_template(document)


def test_order_is_written_out() -> None:
    tasks = {task["name"]: task.get("depends") for task in templates(diamond())["flow"]["dag"]["tasks"]}
    assert tasks == {
        "start": None,
        "left": "start.Succeeded",
        "right": "start.Succeeded",
        "alone": None,
        "join": "left.Succeeded && right.Succeeded",
    }


def test_only_steps_without_predecessors_get_parameters() -> None:
    found = templates(linear())
    params = env(found["prepare"]["container"])["FLOWC_PARAMS"]
    assert params.split(".")[0] == "{{=sprig"
    assert re.findall(r"workflow\.parameters\.(\w+)", params) == ["epochs", "lr", "corpus", "sizes", "fast"]
    assert "FLOWC_PARAMS" not in env(found["report-all"]["container"])


def test_a_gang_is_one_indexed_job() -> None:
    gang = templates(linear())["train"]
    assert gang["inputs"]["parameters"][0]["value"].endswith("-{{retries}}")
    jobset = manifest(gang)
    job = jobset["spec"]["replicatedJobs"][0]["template"]["spec"]
    pod = job["template"]["spec"]
    assert (job["parallelism"], job["completions"], job["backoffLimit"]) == (4, 4, 0)
    assert pod["restartPolicy"] == "Never"
    assert job["activeDeadlineSeconds"] == int(gang["activeDeadlineSeconds"]) == 600 + 3600 + 900
    container = pod["containers"][0]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == container["resources"]["requests"]["nvidia.com/gpu"]
    assert env(container)["FLOWC_NODES"] == "4"
    assert pod["volumes"][0]["emptyDir"] == {"medium": "Memory", "sizeLimit": "8Gi"}


def test_retries_are_named_only_where_argo_replaces_them() -> None:
    found = templates(plan(step("once", gang=2), step("twice", gang=2, retries=1)))
    assert "retries" not in json.dumps(found["once"])
    assert "{{retries}}" in found["twice"]["inputs"]["parameters"][0]["value"]


def test_gangs_are_removed_at_the_end() -> None:
    document = template(linear())
    assert document["spec"]["onExit"] == "finally"
    assert "onExit" not in template(plan(step("a")))["spec"]


def test_nothing_the_user_wrote_is_in_the_document() -> None:
    text = files(linear())["workflow-template.yaml"]
    assert "echo" not in text
    assert "$(X)" not in text


def test_names_keep_apart() -> None:
    words = ["a_b", "ab", "a__b", "matches", "nil", "flow_", "and_", "let", "letx", "a" * 100]
    assert len({names.task_name(word) for word in words}) == len(words)
    assert len({names.template_name(word) for word in words}) == len(words)
    assert names.task_name("matches") == "Matches"
    assert not names.object_name("flow_").endswith("-")


@pytest.mark.parametrize("text", ["a", "x" * 63, "x" * 64, "a_", "_", "a.b", "x" * 60 + "_._"])
def test_label_values(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", names.label_value(text)) or text == "_"


def test_pod_names_of_the_largest_gang_fit() -> None:
    jobset = len("f") + 16 + len("-4294967295")
    digits = len("0") + len("99999")
    assert jobset + len(names.GANG_JOB) + digits + 9 <= 63


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_images_survive(text: str) -> None:
    """`limits` refuses them; should one pass, it must stay one string."""
    found = templates(plan(step("a", image=text), step("b", gang=2, image=text)))
    assert found["a"]["container"]["image"] == text
    pod = manifest(found["b"])["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    if "{{" not in text:
        assert pod["containers"][0]["image"] == text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_defaults_arrive(text: str) -> None:
    """A default that Argo would read stays out of the document; all others are there byte for byte."""
    param = Param("p", "string", False, text)
    value = template(plan(step("a"), params=(param,)))["spec"]["arguments"]["parameters"][0]["value"]
    assert value in (text, NOT_GIVEN)
    assert "{{" not in value
    if text in ("", "y", "08", "$(HOME)", "${x}", "a\nb", "é", "'"):
        assert value == text


@pytest.mark.parametrize(
    ("type_", "default", "text"),
    [
        ("int", 3, "3"), ("float", 1e-4, "0.0001"), ("float", "nan", "nan"), ("bool", True, "true"),
        ("string", "", ""), ("list[string]", ["a", "é"], '["a","é"]'), ("list[int]", [], "[]"),
        ("string", "flowc:default", "flowc:default"), ("string", "flowc:x", "flowc:default"),
    ],
)  # fmt: skip
def test_default_texts(type_: str, default: Any, text: str) -> None:
    assert parameters.document_text(Param("p", type_, False, default)) == text


def test_a_required_parameter_has_no_value() -> None:
    declared = template(linear())["spec"]["arguments"]["parameters"]
    assert [entry["name"] for entry in declared if "value" not in entry] == ["corpus"]


def test_a_store_with_dollars_is_not_expanded() -> None:
    container = templates(plan(step("a")), store="s3://bucket/$(HOME)")["a"]["container"]
    assert env(container)["FLOWC_STORE"] == "s3://bucket/$$(HOME)"


def test_size_of_a_plain_step() -> None:
    def size(count: int) -> int:
        steps = (step(f"step_number_{i}", [f"step_number_{i - 1}"] if i else []) for i in range(count))
        return len(json.dumps(template(plan(*steps)), separators=(",", ":")))

    assert (size(100) - size(1)) / 99 <= 1200


def test_slots_are_separated_by_what_base64_lacks() -> None:
    assert b"." not in base64.b64encode(bytes(range(256)))


def test_rights_are_least() -> None:
    rights = list(yaml.safe_load_all(files(linear())["rbac.yaml"]))
    verbs = {
        (document["metadata"]["name"], rule["resources"][0]): rule["verbs"]
        for document in rights
        if document["kind"] == "Role"
        for rule in document["rules"]
    }
    assert verbs == {
        ("flowc-task", "workflowtaskresults"): ["create", "patch"],
        ("flowc-gang-launch", "workflowtaskresults"): ["create", "patch"],
        ("flowc-gang-launch", "jobsets"): ["create", "get", "list", "delete"],
    }
    accounts = [document["metadata"]["name"] for document in rights if document["kind"] == "ServiceAccount"]
    assert accounts == ["flowc-task", "flowc-gang-launch", "flowc-gang-pod"]
