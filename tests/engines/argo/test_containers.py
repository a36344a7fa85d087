"""Containers: environment, expansion, secrets, outputs, retries, deadlines."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from .cluster import Cluster
from .errors import UnsupportedField
from .pods import Pod
from .samples import flow, one, sh
from .workflow import Workflow


def run(cluster: Cluster, text: str, expect: str = "Succeeded", **parameters: str) -> Workflow:
    cluster.apply(text)
    workflow = cluster.submit("sample", parameters)
    assert workflow.wait(30) == expect, workflow.describe()
    return workflow


def log(workflow: Workflow) -> str:
    return workflow.nodes[0].pods[0].logs()


def test_the_environment_is_what_the_template_and_kubernetes_give(cluster: Cluster) -> None:
    workflow = run(cluster, one("env", container={"env": [{"name": "A", "value": "1"}]}))
    names = {line.partition("=")[0] for line in log(workflow).splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {
        "A", "PATH", "HOSTNAME", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
    }  # fmt: skip


def test_kubernetes_expands_its_own_variables(cluster: Cluster) -> None:
    env = [
        {"name": "A", "value": "a$(B)"},  # B is declared later, so it is not known yet
        {"name": "B", "value": "b"},
        {"name": "C", "value": "$(A)|$(B)|$$(B)|$(NOPE)|$B|$("},
    ]
    container = {"command": ["sh", "-c", 'echo "$C" "$1"; echo \'$$(B)\'', "-", "$(B)$(HOSTNAME)"], "env": env}
    workflow = run(cluster, one("", container=container))
    assert log(workflow) == f"a$(B)|b|$(B)|$(NOPE)|$B|$( b{workflow.nodes[0].pods[0].name}\n$(B)\n"


def test_the_downward_api(cluster: Cluster) -> None:
    fields = {
        "NAME": "metadata.name", "UID": "metadata.uid", "NS": "metadata.namespace", "IP": "status.podIP",
        "LABEL": "metadata.labels['team/x']", "NOTE": "metadata.annotations['note']", "NONE": "metadata.labels['none']",
    }  # fmt: skip
    env = [{"name": n, "valueFrom": {"fieldRef": {"fieldPath": f}}} for n, f in fields.items()]
    script = 'echo "$NAME $POD_UID $NS $IP $LABEL $NOTE [$NONE]"'.replace("$POD_UID", "$UID2")
    env[1]["name"] = "UID2"  # bash keeps UID for itself
    metadata = {"labels": {"team/x": "red"}, "annotations": {"note": "hi"}}
    workflow = run(cluster, one(script, container={"env": env}, metadata=metadata))
    pod = workflow.nodes[0].pods[0]
    assert log(workflow) == f"{pod.name} {pod.uid} test {pod.address} red hi []\n"


def test_every_pod_has_an_address_of_its_own(cluster: Cluster) -> None:
    run(cluster, one("true", retryStrategy={"limit": "0"}))
    run(cluster, one("true"))
    addresses = [pod.address for pod in cluster.pods]
    assert len(set(addresses)) == 2
    assert all(address.startswith("127.") for address in addresses)


@pytest.mark.parametrize(
    ("kind", "name", "key", "value"),
    [("secretKeyRef", "db", "password", "tiger"), ("configMapKeyRef", "place", "url", "file:///store")],
)
def test_secrets_and_config_maps_come_from_the_test(
    cluster: Cluster, kind: str, name: str, key: str, value: str
) -> None:
    def env(key: str) -> list[object]:
        return [{"name": "S", "valueFrom": {kind: {"name": name, "key": key}}}]

    assert log(run(cluster, one("echo $S", container={"env": env(key)}))) == value + "\n"
    with pytest.raises(UnsupportedField, match=f"{kind}: the test gave no {name}/nope"):
        run(cluster, one("echo $S", container={"env": env("nope")}))


def test_a_hostile_parameter_does_what_it_would_do_in_argo(cluster: Cluster) -> None:
    # The shell gets the text of another parameter, because the value is scanned again.
    text = flow(sh("main", "echo {{workflow.parameters.p}}"), parameters={"p": "x", "secret": "42"})
    assert log(run(cluster, text, p="{{workflow.parameters.secret}}; echo $((6*7))")) == "42\n42\n"
    assert log(run(cluster, text, p="$(HOSTNAME)")).startswith("sample-")
    assert run(cluster, text, expect="Error", p="\x1b[31m").nodes[0].message.startswith("cannot finish template")
    assert "failed to resolve" in run(cluster, text, expect="Error", p="{{inputs.parameters.x}}").nodes[0].message


def test_base64_in_an_environment_variable_carries_any_text(cluster: Cluster) -> None:
    hostile = "{{workflow.name}} $(HOSTNAME) '\"\\ \x1b \n {{= 1 }} ${x} `id` żółć"
    value = {"name": "P", "value": "{{=sprig.b64enc(workflow.parameters.p)}}"}
    text = flow(sh("main", "echo $P | base64 -d", container={"env": [value]}), parameters={"p": ""})
    assert log(run(cluster, text, p=hostile)) == hostile


def test_the_entry_template_gets_the_workflows_parameters_as_inputs(cluster: Cluster) -> None:
    main = sh("main", "echo {{inputs.parameters.p}}", inputs={"parameters": [{"name": "p"}]})
    text = flow(main, parameters={"p": "v"})
    assert log(run(cluster, text)) == "v\n"
    assert log(run(cluster, text, p="w")) == "w\n"


def test_parameters_have_to_be_declared_given_and_in_their_enum(cluster: Cluster) -> None:
    spec = "arguments: {parameters: [{name: p, enum: [a, b]}]}"
    cluster.apply(flow(sh("main", "true"), spec=spec))
    for parameters in ({}, {"p": "c"}, {"p": "a", "q": "1"}):
        with pytest.raises(UnsupportedField, match=r"spec\.arguments"):
            cluster.submit("sample", parameters)
    assert cluster.submit("sample", {"p": "a"}).wait(30) == "Succeeded"


def outputs(**value_from: str) -> dict[str, object]:
    return {"parameters": [{"name": "o", "valueFrom": {"path": "/out/o", **value_from}}]}


def test_an_output_is_a_file_less_one_newline(cluster: Cluster) -> None:
    workflow = run(cluster, one("printf 'a\\n\\n' > $0", container={"args": ["/out/o"]}, outputs=outputs()))
    assert workflow.nodes[0].outputs == {"o": "a\n"}


def test_an_output_path_may_be_told_by_its_tag_or_by_its_folder(cluster: Cluster) -> None:
    tag = {"env": [{"name": "O", "value": "{{outputs.parameters.o.path}}"}]}
    assert run(cluster, one("echo x > $O", container=tag, outputs=outputs())).nodes[0].outputs == {"o": "x"}
    folder = {"env": [{"name": "O", "value": "/out"}]}
    assert run(cluster, one("echo x > $O/o", container=folder, outputs=outputs())).nodes[0].outputs == {"o": "x"}


def test_pods_do_not_share_the_files_of_their_volumes(cluster: Cluster) -> None:
    container = {"volumeMounts": [{"name": "v", "mountPath": "/data"}], "args": ["/data/f"]}
    text = one("test ! -e $0 && touch $0", container=container, volumes=[{"name": "v", "emptyDir": {}}])
    run(cluster, text)
    run(cluster, text)


def test_shared_memory_is_the_machines(cluster: Cluster) -> None:
    container = {"volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}], "args": ["/dev/shm"]}
    volumes = [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}]
    assert log(run(cluster, one("echo $0", container=container, volumes=volumes))) == "/dev/shm\n"


def test_a_missing_output_is_its_default_or_an_error(cluster: Cluster) -> None:
    container = {"args": ["/out/o"]}
    assert run(cluster, one("true", container=container, outputs=outputs(default="d"))).nodes[0].outputs == {"o": "d"}
    workflow = run(cluster, one("true", container=container, outputs=outputs()), expect="Error")
    assert "no such file" in workflow.nodes[0].message


def test_an_output_path_that_the_program_cannot_know_is_refused(cluster: Cluster) -> None:
    with pytest.raises(UnsupportedField, match="no files are isolated"):
        run(cluster, one("true", outputs=outputs()))


def test_exit_codes_and_signals_are_reported_as_the_kubelet_reports_them(cluster: Cluster) -> None:
    assert run(cluster, one("exit 7"), expect="Failed").nodes[0].exit_code == 7
    assert run(cluster, one("kill -9 $$$$"), expect="Failed").nodes[0].exit_code == 137
    missing = run(cluster, one("", container={"command": ["/no/such/program"]}), expect="Failed")
    assert missing.nodes[0].exit_code == 128
    assert "StartError" in log(missing)


# Retries


def retry(script: str, limit: str = "2", **more: object) -> str:
    env = [{"name": "N", "value": "{{retries}}"}]
    return one(script, container={"env": env}, retryStrategy={"limit": limit, **more})


def test_a_failed_container_is_tried_again_up_to_the_limit(cluster: Cluster) -> None:
    node = run(cluster, retry("exit $((5 - N))"), expect="Failed").nodes[0]
    assert [a.display_name.removeprefix(node.name) for a in node.attempts] == ["(0)", "(1)", "(2)"]
    assert [a.exit_code for a in node.attempts] == [5, 4, 3]
    assert node.message.startswith("No more retries left")


def test_the_first_success_ends_the_retries(cluster: Cluster) -> None:
    node = run(cluster, retry("test $N = 1")).nodes[0]
    assert [attempt.phase for attempt in node.attempts] == ["Failed", "Succeeded"]


def test_without_a_retry_strategy_the_tag_stays_as_text(cluster: Cluster) -> None:
    assert log(run(cluster, one("echo '{{retries}}'"))) == "{{retries}}\n"


def test_each_attempt_knows_the_one_before(cluster: Cluster) -> None:
    env = [{"name": "L", "value": "{{lastRetry.exitCode}} {{lastRetry.status}}"}]
    node = run(cluster, one("echo $L; exit 4", container={"env": env}, retryStrategy={"limit": "1"}), "Failed").nodes[0]
    assert [attempt.pods[0].logs() for attempt in node.attempts] == ["0\n", "4 Failed\n"]


def test_the_node_name_is_the_same_for_all_attempts_and_the_pod_name_is_not(cluster: Cluster) -> None:
    script = "echo '{{node.name}}' '{{pod.name}}'; exit 1"
    node = run(cluster, one(script, retryStrategy={"limit": 1}), "Failed").nodes[0]
    assert [a.pods[0].logs() for a in node.attempts] == [f"{node.name} {a.pods[0].name}\n" for a in node.attempts]
    assert len({a.pods[0].name for a in node.attempts}) == 2


def test_backoff_grows_by_its_factor_up_to_its_cap(cluster: Cluster) -> None:
    backoff = {"duration": "4s", "factor": "2", "cap": "6s"}  # the fixture's clock runs twenty times faster
    attempts = run(cluster, retry("exit 1", limit="3", backoff=backoff), "Failed").nodes[0].attempts
    waits = [later.started - (earlier.finished or 0) for earlier, later in pairwise(attempts)]
    assert [round(wait / 0.05) >= least for wait, least in zip(waits, [4, 6, 6], strict=True)] == [True] * 3
    assert waits[2] < 8 * 0.05 + 0.2  # without the cap it would be 16


def test_retries_end_with_the_longest_duration(cluster: Cluster) -> None:
    node = run(cluster, retry("exit 1", limit="9", backoff={"duration": "2s", "maxDuration": "5s"}), "Failed").nodes[0]
    assert len(node.attempts) < 5
    assert node.message == "Max duration limit exceeded"


def pod_of_attempt(cluster: Cluster, workflow: Workflow, attempt: int) -> Pod:
    def pods() -> list[Pod]:
        return [pod for node in workflow.nodes[1:] for pod in node.pods]

    cluster.wait_for(lambda: len(pods()) > attempt)
    return pods()[attempt]


@pytest.mark.parametrize(
    ("policy", "failures", "errors"),
    [(None, 2, 1), ("OnFailure", 2, 1), ("OnError", 1, 2), ("Always", 2, 2)],
)
def test_the_policy_tells_a_failed_container_from_a_lost_pod(
    cluster: Cluster, policy: str | None, failures: int, errors: int
) -> None:
    strategy = {"retryPolicy": policy} if policy else {}
    assert len(run(cluster, retry("exit 1", "1", **strategy), "Failed").nodes[0].attempts) == failures
    cluster.apply(retry("sleep 20", "1", **strategy))
    workflow = cluster.submit("sample")
    for lost in range(errors):
        pod = pod_of_attempt(cluster, workflow, lost)
        cluster.delete_pod(pod)
        cluster.wait_for(lambda pod=pod: pod.done)  # type: ignore[misc]  # mypy cannot type a lambda's default
    assert workflow.wait(30) == "Error"
    assert len(workflow.nodes[0].attempts) == errors
    assert workflow.nodes[1].message == "pod deleted"


# Deadlines


def test_a_deadline_ends_the_pod_with_all_its_processes(cluster: Cluster) -> None:
    workflow = run(cluster, one("trap '' TERM; sleep 30 & wait; sleep 30", activeDeadlineSeconds="2"), expect="Failed")
    assert "longer than the specified deadline" in workflow.nodes[0].message
    assert workflow.nodes[0].pods[0].exit_code == 137


def test_a_deadline_counts_for_each_attempt(cluster: Cluster) -> None:
    text = one("sleep 0.8; exit 3", activeDeadlineSeconds=3, retryStrategy={"limit": "1"})
    assert [attempt.exit_code for attempt in run(cluster, text, "Failed").nodes[0].attempts] == [3, 3]


def test_a_container_gets_term_and_may_clean_up(cluster: Cluster) -> None:
    script = "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.05; done"
    workflow = run(cluster, one(script, timeout="2s"), expect="Failed")
    assert log(workflow) == "up\nbye\n"
    assert workflow.nodes[0].pods[0].exit_code == 9


def test_a_document_may_be_json_or_yaml(cluster: Cluster) -> None:
    text = json.loads(one("true"))
    assert cluster.apply("---\n" + json.dumps(text) + "\n---\n" + one("true")) == ["sample", "sample"]
