"""What is refused before anything runs: every claim of strictness has a case here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .cluster import Cluster
from .documents import check_template, load
from .errors import InvalidDocumentError, UnsupportedField
from .samples import flow, one, sh


@pytest.fixture
def idle(tmp_path: Path) -> Cluster:
    """A cluster that was not started: nothing runs in these tests."""
    return Cluster(tmp_path, base_env={})


def container(**fields: Any) -> str:
    return one("true", container=fields)


def dag(**fields: Any) -> str:
    return flow(json.dumps([{"name": "main", "dag": {"tasks": [{"name": "a", "template": "b", **fields}]}},
                            *json.loads("[" + sh("b", "true")[2:] + "]")]))  # fmt: skip


CASES: list[tuple[str, str]] = [
    # whole kinds of template
    (flow("[{name: main, script: {image: a, command: [sh], source: x}}]"), r"templates\[main\]\.script"),
    (flow("[{name: main, steps: [[{name: a, template: main}]]}]"), r"templates\[main\]\.steps"),
    (flow("[{name: main, http: {url: x}}]"), r"\.http"),
    (flow("[{name: main, containerSet: {containers: [{name: main, image: a}]}}]"), r"\.containerSet"),
    (flow("[{name: main, suspend: {}}]"), "waits for a person"),
    (flow("[{name: main}]"), "exactly one of"),
    # spec
    (flow(sh("main", "true"), spec="parallelism: 1\nhooks: {exit: {template: main}}"), r"spec\.hooks"),
    (flow(sh("main", "true"), spec="volumes: [{name: a, persistentVolumeClaim: {claimName: x}}]"), "persistent"),
    (flow(sh("main", "true"), spec="synchronization: {mutexes: [{name: a}]}"), r"spec\.synchronization"),
    (flow(sh("main", "true"), spec="shutdown: Stop"), r"spec\.shutdown"),
    (flow(sh("main", "true"), spec="arguments: {artifacts: [{name: a}]}"), r"arguments\.artifacts"),
    (
        flow(
            sh("main", "true"), spec="templateDefaults: {memoize: {key: a, maxAge: 1s, cache: {configMap: {name: a}}}}"
        ),
        "memoize",
    ),
    # template
    (one("true", initContainers=[{"name": "a", "image": "b"}]), "initContainers"),
    (one("true", podSpecPatch="{}"), "podSpecPatch"),
    (one("true", daemon=True), r"\.daemon"),
    (one("true", parallelism=1), "leaf template"),
    (one("true", failFast=True), "failFast"),
    (one("true", inputs={"artifacts": [{"name": "a", "path": "/a"}]}), r"inputs\.artifacts"),
    (
        one(
            "true", inputs={"parameters": [{"name": "a", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}]}
        ),
        r"inputs\.parameters\[a\]\.valueFrom",
    ),
    (one("true", outputs={"artifacts": [{"name": "a", "path": "/a"}]}), r"outputs\.artifacts"),
    (one("true", outputs={"parameters": [{"name": "a", "valueFrom": {"path": "/a"}, "globalName": "g"}]}), "global"),
    (one("true", outputs={"parameters": [{"name": "a", "valueFrom": {"expression": "item"}}]}), "a container template"),
    (one("true", retryStrategy={"retryPolicy": "Always"}), r"retryStrategy\.limit"),
    (one("true", retryStrategy={"limit": 1, "retryPolicy": "OnTransientError"}), "OnTransientError"),
    (one("true", retryStrategy={"limit": 1, "expression": "true"}), r"retryStrategy\.expression"),
    (flow("[{name: main, timeout: 1s, dag: {tasks: [{name: a, template: main}]}}]"), "DAG template"),
    (flow("[{name: main, activeDeadlineSeconds: 1, dag: {tasks: [{name: a, template: main}]}}]"), "DAG template"),
    # container
    (flow("[{name: main, container: {image: a}}]"), "must be explicit"),
    (container(envFrom=[{"secretRef": {"name": "a"}}]), "envFrom"),
    (container(lifecycle={"preStop": {"exec": {"command": ["a"]}}}), "lifecycle"),
    (container(livenessProbe={"exec": {"command": ["a"]}}), "livenessProbe"),
    (
        container(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b", "optional": True}}}]),
        "optional",
    ),
    (container(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "a"}}}]), "resourceFieldRef"),
    (container(volumeMounts=[{"name": "a", "mountPath": "/a", "subPath": "b"}]), "subPath"),
    # tasks
    (dag(dependencies=["a"]), "dependencies"),
    (dag(withItems=[1]), "withItems"),
    (dag(withParam="[1]"), "withParam"),
    (dag(withSequence={"start": "1", "end": "2"}), r"withSequence\.start"),
    (dag(continueOn={"failed": True}), "continueOn"),
    (dag(onExit="b"), "onExit"),
    (dag(hooks={"exit": {"template": "b"}}), "hooks"),
    (dag(arguments={"parameters": [{"name": "a", "valueFrom": {"path": "/x"}}]}), "valueFrom"),
    # resource
    (flow("[{name: main, resource: {action: apply, manifest: a}}]"), r"resource\.action"),
    (flow("[{name: main, resource: {action: create, manifest: a, mergeStrategy: merge}}]"), "mergeStrategy"),
    (flow("[{name: main, resource: {action: delete, flags: [a], manifest: a}}]"), "manifest"),
    # tags
    (one("{{workflow.creationTimestamp}}"), "unknown tag"),
    (one("{{=sprig.upper('a')}}"), "unknown function"),
    (one("{{=workflow.labels.a}}"), "unknown reference"),
    (one("{{ a"), "has no end"),
]


@pytest.mark.parametrize(("text", "reason"), CASES)
def test_an_unknown_part_is_refused_by_its_path(idle: Cluster, text: str, reason: str) -> None:
    with pytest.raises(UnsupportedField, match=reason):
        idle.apply(text)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["spec"]["templates"][0]["container"].update(imagee="x"), "imagee"),
        (lambda d: d["spec"]["templates"][0]["container"].update(args=[0.0001]), "is not of type 'string'"),
        (lambda d: d["spec"]["templates"][0].update(name="bad_name"), "bad_name"),
        (lambda d: d["spec"]["templates"][0].update(retryStrategy={"retryPolicy": "Sometimes"}), "Sometimes"),
        (lambda d: d["spec"].update(schedule="x"), "schedule"),
        (lambda d: d["spec"].update(templates=d["spec"]["templates"] * 201), "too long"),
    ],
)
def test_what_the_api_server_would_refuse_is_refused(
    idle: Cluster, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    document = json.loads(one("true"))
    change(document)
    with pytest.raises(InvalidDocumentError, match=reason):
        idle.apply(json.dumps(document))


@pytest.mark.parametrize("text", ["kind: ConfigMap", "kind: Workflow", "[1]", "a: 1"])
def test_an_unknown_kind_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedField, match="document 0"):
        load(text)


@pytest.mark.parametrize("word", ["y", "N", "on", "yes", "1e-4", "08", "1.", "0x1F", "~", "true"])
def test_a_bare_word_that_kubernetes_does_not_read_as_text_is_not_text(idle: Cluster, word: str) -> None:
    text = one("true").replace('"true"', word)
    with pytest.raises(InvalidDocumentError):
        idle.apply(text)
    idle.apply(one("true").replace('"true"', f'"{word}"'))


def test_a_duplicate_key_is_refused(idle: Cluster) -> None:
    with pytest.raises(InvalidDocumentError, match="duplicate key 'kind'"):
        idle.apply("kind: WorkflowTemplate\nkind: WorkflowTemplate\n")


def test_fields_without_effect_here_are_known(idle: Cluster) -> None:
    spec = {
        "serviceAccountName": "task", "podGC": {"strategy": "OnPodCompletion"},
        "ttlStrategy": {"secondsAfterCompletion": 9},
        "securityContext": {"runAsNonRoot": True}, "automountServiceAccountToken": False, "archiveLogs": False,
    }  # fmt: skip
    own = {"serviceAccountName": "x", "nodeSelector": {"a": "b"}, "affinity": {}, "tolerations": [{"key": "gpu"}],
           "metadata": {"labels": {"a": "b"}}}  # fmt: skip
    leaf = {"resources": {"limits": {"nvidia.com/gpu": 1}}, "securityContext": {"privileged": False},
            "imagePullPolicy": "Always"}  # fmt: skip
    idle.apply(flow(sh("main", "true", container=leaf, **own), spec=json.dumps(spec)))


def test_accounts_and_roles_are_known(idle: Cluster) -> None:
    assert idle.apply("kind: Role\nmetadata: {name: r}\n---\nkind: ServiceAccount\nmetadata: {name: s}\n") == ["r", "s"]


def test_words_of_a_command_are_strings() -> None:
    with pytest.raises(UnsupportedField, match="not a string"):
        check_template({"name": "a", "container": {"image": "a", "command": [1]}}, "t")


def test_an_unknown_template_or_name_is_told(idle: Cluster) -> None:
    with pytest.raises(LookupError, match="no WorkflowTemplate 'x'"):
        idle.submit("x")
