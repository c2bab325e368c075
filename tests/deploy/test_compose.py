"""docker-compose.yml, checked by compose itself, by the schema of the specification, and by our settings."""

import json
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from epf.service.settings import Settings
from tests.deploy.tools import GUARD_S, ROOT, compose

pytestmark = pytest.mark.slow

PROFILES = ("gpu", "monitoring")
COMBINATIONS = ((), ("gpu",), ("monitoring",), PROFILES)
SERVICES: dict[str | None, set[str]] = {
    None: {"epf"},
    "gpu": {"epf-gpu", "generator", "prm"},
    "monitoring": {"prometheus", "grafana"},
}
DOCS = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
FILE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
MODEL: dict[str, Any] = yaml.safe_load(FILE)
OURS = ("epf", "epf-gpu", "prm")
VARIABLES = set(re.findall(r"^\| `(EPF_\w+)`", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"), flags=re.MULTILINE))
"""The table is generated from the settings."""


@cache
def resolved(*profiles: str, **environment: str) -> dict[str, Any]:
    """Return the services that these profiles start, as compose resolves them."""
    done = compose(*(word for profile in profiles for word in ("--profile", profile)), "config", **environment)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "compose prints warnings"
    services: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    # The first version of compose lists all services.
    return {name: service for name, service in services.items() if enabled(service, profiles)}


def enabled(service: dict[str, Any], profiles: tuple[str, ...]) -> bool:
    """Whether compose starts a service: always if it has no profiles, otherwise with any of them."""
    return "profiles" not in service or bool({*service["profiles"]} & {*profiles})


def ports(service: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the host addresses and ports that a service publishes, from the short form or the long one."""
    found = []
    for port in service.get("ports", []):
        if isinstance(port, dict):
            found.append((port["host_ip"], str(port["published"])))
        else:
            address, published, _ = port.split(":")
            found.append((address, published))
    return found


def read_only_targets(service: dict[str, Any]) -> list[str]:
    """Return where a service mounts what it cannot write to, from the short form or the long one."""
    found = []
    for volume in service["volumes"]:
        if isinstance(volume, dict):
            found += [volume["target"]] if volume.get("read_only") else []
        else:
            _, target, *mode = volume.split(":")
            found += [target] if mode == ["ro"] else []
    return found


@pytest.mark.parametrize("profiles", COMBINATIONS)
def test_compose_reads_every_combination_of_profiles(profiles: tuple[str, ...]) -> None:
    services = resolved(*profiles)
    assert services.keys() == SERVICES[None].union(*(SERVICES[profile] for profile in profiles))
    for service in services.values():
        assert services.keys() >= set(service.get("depends_on", ())), "a service would wait for one that is not started"
    published = [port for service in services.values() for port in ports(service)]
    assert len({port for _, port in published}) == len(published), "two services publish the same port"
    assert {address for address, _ in published} == {"127.0.0.1"}, "a port is published to other machines"


def test_the_file_follows_the_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=GUARD_S)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", sorted(MODEL["services"]))
def test_every_service_is_bounded(name: str) -> None:
    service = MODEL["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["restart"] == "unless-stopped"
    assert {"max-size", "max-file"} <= service["logging"]["options"].keys()
    assert "mem_limit" in service or "devices" in service["deploy"]["resources"]["reservations"]
    if "image" in service:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), "the tag is not an exact version"


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings accept the values that compose passes."""
    for variable in [variable for variable in os.environ if variable.startswith("EPF_")]:
        monkeypatch.delenv(variable)
    for variable, value in resolved(*PROFILES)[name]["environment"].items():
        assert variable in VARIABLES if variable.startswith("EPF_") else variable.startswith("HF_"), variable
        if variable.startswith("EPF_") and value is not None:
            monkeypatch.setenv(variable, value)
    Settings()


def test_the_file_holds_no_secrets() -> None:
    secret = re.compile(r"(key|token|password|secret)", re.IGNORECASE)
    for name, service in MODEL["services"].items():
        for variable, value in service.get("environment", {}).items():
            assert not secret.search(variable) or value is None, f"{name} has a default for {variable}"
    assert not (ROOT / "deploy" / "no-key").read_bytes()


def test_our_services_know_the_names_that_others_call_them_by() -> None:
    """Without keys they respond under no other name, which a web page could give this machine (DNS rebinding)."""
    services = resolved(*PROFILES)
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    called = {name for job in scraped for sd in job["dns_sd_configs"] for name in sd["names"]}
    called.add(urlsplit(services["epf-gpu"]["environment"]["EPF_REWARD_MODEL__URL"]).hostname)
    for name in OURS:
        allowed = services[name]["environment"]["EPF_ALLOWED_HOSTS"].split(",")
        assert name in allowed
        assert ("localhost" in allowed) == bool(ports(services[name]))
    assert called >= {*OURS}
    assert resolved(EPF_ALLOWED_HOSTS="")["epf"]["environment"]["EPF_ALLOWED_HOSTS"] == "", "any name, where keys protect it"


def test_the_gpu_service_waits_for_its_models() -> None:
    services = resolved("gpu")
    for name in ("generator", "prm"):
        assert services["epf-gpu"]["depends_on"][name]["condition"] == "service_healthy"
        (device,) = services[name]["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]
        assert device["driver"] == "nvidia"
    assert services["prm"]["depends_on"]["generator"]["condition"] == "service_healthy"
    models = {name: services[name]["environment"]["EPF_REWARD_MODEL__NAME"] for name in ("epf-gpu", "prm")}
    assert set(models.values()) == {"Qwen/Qwen2.5-Math-PRM-7B"}
    asked = services["epf-gpu"]["environment"]["EPF_GENERATOR__NAME"]
    assert asked == "Qwen/Qwen2.5-Math-1.5B-Instruct"
    assert asked in services["generator"]["command"]


def test_another_model_reaches_both_ends() -> None:
    services = resolved("gpu", EPF_GENERATOR__NAME="a/b", EPF_REWARD_MODEL__NAME="c/d", PRM_GPU="1", PRM_GPU_MEMORY="0.9")
    assert "a/b" in services["generator"]["command"]
    assert services["epf-gpu"]["environment"]["EPF_GENERATOR__NAME"] == "a/b"
    assert services["prm"]["environment"]["EPF_REWARD_MODEL__NAME"] == "c/d"
    assert services["prm"]["environment"]["EPF_REWARD_MODEL__ENGINE"] == '{"gpu_memory_utilization": 0.9}'
    (device,) = services["prm"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["device_ids"] == ["1"]


def test_mounted_files_exist() -> None:
    sources = [mount.split(":")[0] for service in MODEL["services"].values() for mount in service.get("volumes", [])]
    files = [source for source in sources if source.startswith("./")]
    assert files
    for source in files:
        assert (ROOT / source).is_file(), source
    assert {source for source in sources if not source.startswith("./")} == MODEL["volumes"].keys()


def commands(text: str) -> list[list[str]]:
    """Return the arguments of every compose command in a text."""
    found = re.findall(r"^(?:# |    )?docker compose ((?:--|up|config|build|down).*?)(?:  +.*)?$", text, flags=re.MULTILINE)
    return [shlex.split(command, comments=True) for command in found]


@pytest.mark.parametrize("command", commands(FILE) + commands(DOCS), ids=" ".join)
def test_documented_commands_name_existing_profiles_and_services(command: list[str]) -> None:
    verb = next(i for i, word in enumerate(command) if word in ("up", "config", "build", "down"))
    done = compose(*command[:verb], "config", "--services")
    assert done.returncode == 0, done.stderr
    services = {word for word in command[verb + 1 :] if not word.startswith("-")}
    assert services <= set(done.stdout.split())
    profiles = {command[i + 1] for i, word in enumerate(command[:verb]) if word == "--profile"}
    assert profiles <= set(PROFILES)


def test_the_documented_overrides_merge(tmp_path: Path) -> None:
    files = ["--file", "docker-compose.yml"]
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", DOCS, flags=re.MULTILINE | re.DOTALL)):
        override = tmp_path / f"{number}.yml"
        override.write_text(block)
        files += ["--file", str(override)]
    done = compose(*files, "config")
    assert done.returncode == 0, done.stderr
    merged = yaml.safe_load(done.stdout)["services"]["epf"]
    assert ("192.0.2.7", "8000") in ports(merged)
    assert merged["environment"]["EPF_ALLOW_ANONYMOUS"] == "false"
    assert merged["environment"]["EPF_API_KEYS_FILE"] == "/keys/keys.toml"
    assert "/keys" in read_only_targets(merged)


def test_the_documented_keys_reach_the_service(tmp_path: Path) -> None:
    (line,) = re.findall(r"^EPF_API_KEYS=.*\n", DOCS, flags=re.MULTILINE)
    file = tmp_path / ".env"
    file.write_text(line)
    done = compose("--env-file", str(file), "config")
    assert done.returncode == 0, done.stderr
    passed = yaml.safe_load(done.stdout)["services"]["epf"]["environment"]["EPF_API_KEYS"]
    assert Settings(api_keys=json.loads(passed)).api_keys.keys() == {"alice", "bob"}


def test_documented_variables_are_read() -> None:
    """Each variable in docs/deploying.md is a setting or a variable of docker-compose.yml."""
    named = set(re.findall(r"\b((?:EPF|GENERATOR|PRM)_[A-Z_]+)\b", DOCS))
    assert named
    for variable in named:
        known = variable in VARIABLES or variable.partition("__")[0] in VARIABLES
        assert known or f"{{{variable}" in FILE or f" {variable}:" in FILE, variable
