"""What deploy/ says agrees with the code: commands, settings, ports, paths, secrets; and no container gets too much."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from docs.pages import settings_variables
from engine.catalog.catalog import load_catalog
from tests.house.commands import refusal
from tests.house.tree import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = [name for name, service in COMPOSE["services"].items() if service["image"].startswith("gatehouse:")]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
OBJECTS: list[dict[str, Any]] = [
    loaded for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")) for loaded in yaml.safe_load_all(path.read_text())
]
_DRAIN_S = 10
"""What closing takes beside the stage that a worker is at: streams, the pool, the last renewals."""


def _named(kind: str) -> list[dict[str, Any]]:
    return [found for found in OBJECTS if found["kind"] == kind]


PODS = [*_named("Deployment"), *_named("Job")]


def _container(found: dict[str, Any]) -> dict[str, Any]:
    [container] = found["spec"]["template"]["spec"]["containers"]
    return dict(container)


def _seconds(duration: str) -> int:
    units = {"s": 1, "m": 60}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([sm])", duration))


def _ids(found: dict[str, Any]) -> str:
    return str(found["metadata"]["name"])


def _from_docker() -> dict[str, str]:
    return dict(re.findall(r"(GATEHOUSE_\w+|DATABASE_URL)=(\S+)", DOCKERFILE))


def test_every_variable_that_is_set_is_a_setting() -> None:
    named = set(_from_docker()) | set(_named("ConfigMap")[0]["data"]) | set(_named("Secret")[0]["stringData"])
    for service in OURS:
        named |= set(COMPOSE["services"][service]["environment"])
        named |= {secret["target"] for secret in COMPOSE["services"][service]["secrets"]}

    assert named - settings_variables() == set()


def test_every_command_exists() -> None:
    entry = json.loads(re.findall(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)[0])
    default = json.loads(re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)[0])
    sandbox = yaml.safe_load((DEPLOY / "compose.sandbox.yaml").read_text())["services"].values()
    given = [COMPOSE["services"][name]["command"] for name in OURS] + [s["command"] for s in sandbox]
    given += [_container(pod)["args"] for pod in PODS]

    assert entry == ["gatehouse"]
    assert [said for words in [default, *given] if (said := refusal(words))] == []


def test_files_that_the_image_is_built_from_exist_and_are_sent_to_its_builder() -> None:
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for word in shlex.split(line)[:-1]
    }
    let_in = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"}
    wheel = re.findall(r'^    "/(\S+)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)

    assert [name for name in (copied | let_in) - {"."} if not (ROOT / name).exists()] == []
    assert ({*wheel, *copied} - {"."}) - let_in == set(), "needed to build and not sent"


def test_secrets_of_compose_are_those_that_the_script_makes() -> None:
    files = {secret["file"] for secret in COMPOSE["secrets"].values()}
    made = set(re.findall(r"> (secrets/\w+)", (DEPLOY / "make-secrets").read_text()))
    used = {
        secret if isinstance(secret, str) else secret["source"]
        for service in COMPOSE["services"].values()
        for secret in service["secrets"]
    }

    assert files == made
    assert used == set(COMPOSE["secrets"])
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().split()
    assert not any(_named("Secret")[0]["stringData"].values()), "an example has no values"


def test_images_are_pinned() -> None:
    pinned = re.compile(r":[\w.-]*\d+\.\d+[\w.-]*$|@sha256:")
    outside = [s["image"] for name, s in COMPOSE["services"].items() if name not in OURS]
    base = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)

    assert [image for image in [*outside, *base] if not pinned.search(image)] == []
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON_IMAGE}"}


def test_services_start_behind_the_migration() -> None:
    services = COMPOSE["services"]

    assert services["migrate"]["command"] == ["migrate"]
    for name in ("server", "worker"):
        waits = services[name]["depends_on"]
        assert waits["migrate"]["condition"] == "service_completed_successfully"
        assert waits["postgres"]["condition"] == "service_healthy"
    assert services["worker"]["deploy"]["replicas"] == 2
    assert all(port.startswith("127.0.0.1:") for port in services["server"]["ports"]), "for this machine alone"


@pytest.mark.parametrize("name", OURS)
def test_services_get_no_more_than_they_need(name: str) -> None:
    service = COMPOSE["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("pod", PODS, ids=_ids)
def test_pods_get_no_more_than_they_need(pod: dict[str, Any]) -> None:
    spec, container = pod["spec"]["template"]["spec"], _container(pod)
    user = int(re.findall(r"^USER (\d+):", DOCKERFILE, re.MULTILINE)[0])

    assert spec["automountServiceAccountToken"] is False
    assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (True, user)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}


def _references() -> Iterator[tuple[str, str, str]]:
    """`(where, kind, name)` of every object that a pod names."""
    for pod in PODS:
        yield from ((_ids(pod), "ConfigMap", source["configMapRef"]["name"]) for source in _container(pod)["envFrom"])
        volumes = pod["spec"]["template"]["spec"]["volumes"]
        yield from ((_ids(pod), "Secret", v["secret"]["secretName"]) for v in volumes if "secret" in v)


def test_objects_that_pods_name_exist() -> None:
    there = {(found["kind"], found["metadata"]["name"]) for found in OBJECTS if found["kind"] != "Kustomization"}

    assert [where for where, kind, name in _references() if (kind, name) not in there] == []


def test_secrets_are_mounted_where_they_are_looked_for() -> None:
    folder = _named("ConfigMap")[0]["data"]["GATEHOUSE_SECRETS_DIR"]
    mounted = [m["mountPath"] for pod in PODS for m in _container(pod)["volumeMounts"] if m["name"] == "secrets"]

    assert mounted == [folder] * len(PODS)
    assert all(COMPOSE["services"][n]["environment"]["GATEHOUSE_SECRETS_DIR"] == "/run/secrets" for n in OURS)


def test_selectors_find_pods() -> None:
    labels = [pod["spec"]["template"]["metadata"]["labels"] for pod in PODS]
    selectors = [f["spec"]["selector"]["matchLabels"] for f in [*_named("Deployment"), *_named("PodDisruptionBudget")]]
    selectors += [service["spec"]["selector"] for service in _named("Service")]
    selectors += [policy["spec"]["podSelector"]["matchLabels"] for policy in _named("NetworkPolicy")]

    assert [s for s in selectors if not any(s.items() <= each.items() for each in labels)] == []


@pytest.mark.parametrize("deployment", _named("Deployment"), ids=_ids)
def test_probes_ask_what_is_answered_on_ports_that_are_open(deployment: dict[str, Any]) -> None:
    from api.operations import router  # noqa: PLC0415  # takes a second that other checks do without

    container, given = _container(deployment), _from_docker()
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    scraped = deployment["spec"]["template"]["metadata"]["annotations"]
    paths = {getattr(route, "path", "") for route in router.routes}

    assert {probe["path"] for probe in probes} | {scraped["prometheus.io/path"]} <= paths
    assert {probe["port"] for probe in probes} <= set(ports)
    assert ports["metrics"] == scraped["prometheus.io/port"] == given["GATEHOUSE_METRICS_PORT"]
    assert ports.get("http", given["GATEHOUSE_PORT"]) == given["GATEHOUSE_PORT"]


def test_the_grace_to_drain_is_longer_than_any_call_of_a_tool() -> None:
    tools = [tool for w in load_catalog(ROOT / "langgraph.json", routes={}).values() for tool in w.policy.tools]
    tries_s = 3 * max(tool.timeout_s for tool in tools) + _DRAIN_S
    worker = next(f for f in _named("Deployment") if f["metadata"]["name"] == "gatehouse-worker")

    assert worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= tries_s
    assert _seconds(COMPOSE["services"]["worker"]["stop_grace_period"]) >= tries_s


def test_every_manifest_is_applied_but_the_example() -> None:
    [kustomization] = _named("Kustomization")
    there = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")}

    assert there - set(kustomization["resources"]) == {"kustomization.yaml", "secret.example.yaml"}
    assert {f["metadata"].get("namespace") for f in OBJECTS if f["kind"] not in ("Namespace", "Kustomization")} == {
        kustomization["namespace"]
    }
