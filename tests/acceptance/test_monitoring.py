"""What goes with the metrics says what is true: the documents, the alerts, the dashboard, the containers."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.job_worker import JobWorker
from api.mailer import Mailer
from api.metrics import wiring
from commands.outbox import Outbox
from projections.drift_worker import DriftWatch
from projections.registry import TABLES
from tests.api.clock import resting
from tests.api.test_metrics import Numbers, numbers
from tests.house import House

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
TESTS: dict[str, Any] = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())
SCRAPES: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/taskfold.json").read_text())
MONITORING: dict[str, Any] = yaml.safe_load((ROOT / "deploy/monitoring.yaml").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = re.compile(r"\b(?:taskfold|process|python)_[a-z0-9_]+\b")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}

Described = dict[str, tuple[str, str, str]]  # type, of which process, meaning; by name


async def pages(house: House) -> dict[str, Numbers]:
    """The pages of both kinds of processes."""
    mailer, jobs = Mailer(Outbox(house.pool), None), JobWorker(house.pool, house.settings.database_url, lambda *_: None)
    watch = DriftWatch(house.pool, TABLES)
    worker = wiring.of_worker(house.projector, watch, mailer, resting(house), house.pool, house.settings, jobs=jobs)
    return {"API": await numbers(house), "worker": Numbers((await worker.render(None)).body.decode())}


async def exposed(house: House) -> Described:
    found = await pages(house)
    described: Described = {}
    for page in found.values():
        for name, family in page.families.items():
            where = "both" if all(name in other.families for other in found.values()) else ""
            where = where or next(of for of, other in found.items() if name in other.families)
            full = name + ("_total" if family.type == "counter" else "")
            described[full] = (family.type, where, family.documentation)
    return described


async def sample_names(house: House) -> set[str]:
    """The names of all series that there can be."""
    return {
        name.removesuffix("_total") + suffix if kind == "counter" else name + suffix
        for name, (kind, _, _) in (await exposed(house)).items()
        for suffix in SUFFIXES.get(kind, ("",))
    }


async def test_every_metric_is_documented_as_it_describes_itself_and_no_other(house: House) -> None:
    text = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| [^|]* \| (\w+) \| (.+) \|$", text, re.MULTILINE)
    assert {name: (kind, of, meaning) for name, kind, of, meaning in rows} == await exposed(house)


async def test_the_labels_that_are_documented_are_those_that_come(house: House) -> None:
    await (await house.user()).task()
    text = (ROOT / "docs/metrics.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]*) \| \w+ \|", text, re.MULTILINE))
    for page in (await pages(house)).values():
        for family in page.families.values():
            name = family.name + ("_total" if family.type == "counter" else "")
            for sample in family.samples:
                assert set(re.findall(r"`(\w+)`", documented[name])) == sample.labels.keys() - {"le"}, name


async def test_names_follow_the_conventions_of_prometheus(house: House) -> None:
    described = await exposed(house)
    for name, (kind, _, meaning) in described.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]+", name)
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|millis|minutes|percent|kb|mb|counter|gauge)\b", name), name
        assert meaning
        if name.startswith("taskfold_"):
            assert meaning.endswith("."), name


def queries() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))


async def test_the_dashboard_and_the_alerts_ask_only_for_metrics_that_there_are(house: House) -> None:
    names = await sample_names(house)
    asked = {name for query in [*queries(), *(rule["expr"] for rule in RULES)] for name in OURS.findall(query)}
    assert len(asked) > 40
    assert asked - names == set()


async def test_the_rules_are_tested_on_series_that_there_are(house: House) -> None:
    names = await sample_names(house)
    given = {series["series"].partition("{")[0] for test in TESTS["tests"] for series in test["input_series"]}
    assert given - names == {"up"}


def test_every_row_of_the_dashboard_has_panels_in_their_own_places() -> None:
    panels = DASHBOARD["panels"]
    rows = [panel["title"] for panel in panels if panel["type"] == "row"]
    assert rows == ["Commands", "Log", "Projections", "Sockets", "HTTP", "Process"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    for panel in panels:
        assert panel["type"] == "row" or (panel["description"] and panel["targets"]), panel["title"]


def test_every_alert_has_a_severity_a_summary_a_section_in_the_runbook_and_a_test() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    sections = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", runbook, re.MULTILINE | re.DOTALL))
    assert sections.keys() == {rule["alert"] for rule in RULES}
    for rule in RULES:
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "runbook"}
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        section = sections[rule["alert"]]
        assert "**Means**" in section
        assert "**Look at**" in section
        assert "**do**" in section.lower()
    firing = {case["alertname"] for test in TESTS["tests"] for case in test["alert_rule_test"] if case["exp_alerts"]}
    quiet = {case["alertname"] for test in TESTS["tests"] for case in test["alert_rule_test"] if not case["exp_alerts"]}
    assert firing == quiet == sections.keys()


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not on the PATH; it comes with Prometheus")
    return found


def checked(promtool: str, *arguments: str) -> None:
    done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout + done.stderr


def test_the_rules_pass_the_checks_and_the_tests_of_prometheus(promtool: str) -> None:
    checked(promtool, "check", "config", "prometheus.yml")
    checked(promtool, "check", "rules", "alerts.yml")
    checked(promtool, "test", "rules", "alerts_test.yml")


def test_the_queries_of_the_dashboard_are_ones_that_prometheus_understands(promtool: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries())
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked(promtool, "check", "rules", str(tmp_path / "rules.yml"))


async def test_the_page_passes_the_lint_of_prometheus(house: House, promtool: str) -> None:
    for page in (await pages(house)).values():
        lint = await asyncio.to_thread(
            subprocess.run, [promtool, "check", "metrics"], input=page.text, capture_output=True, text=True
        )
        assert (lint.returncode, lint.stdout + lint.stderr) == (0, "")


def test_the_alerts_and_the_scraping_name_the_same_jobs() -> None:
    jobs = {scrape["job_name"] for scrape in SCRAPES}
    asked = {job for rule in RULES for job in re.findall(r'job="([\w-]+)"', rule["expr"])}
    assert asked == jobs == {"taskfold-api", "taskfold-worker"}


def test_prometheus_scrapes_the_services_at_the_ports_where_they_serve_metrics() -> None:
    targets = {target for scrape in SCRAPES for config in scrape["static_configs"] for target in config["targets"]}
    api = COMPOSE["services"]["api"]["command"]
    worker = MONITORING["services"]["worker"]["command"]
    assert targets == {
        f"api:{api[api.index('--port') + 1]}",
        f"worker:{worker[worker.index('--metrics-port') + 1]}",
    }
    assert worker[0] == COMPOSE["services"]["worker"]["command"][0]


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_monitoring_runs_without_root_and_what_it_mounts_is_there(name: str) -> None:
    found = MONITORING["services"][name]
    assert found["read_only"] is True
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", found["user"])
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", found["image"].partition(":")[2])
    assert found["healthcheck"]["test"][0] == "CMD"
    assert set(found["networks"]) <= COMPOSE["networks"].keys()
    for volume in found["volumes"]:
        source = volume.partition(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), source
            assert volume.endswith(":ro")
        else:
            assert source in MONITORING["volumes"]
    for port in found.get("ports", []):
        assert re.fullmatch(r"\$\{[A-Z_]+:-127\.0\.0\.1:\d+\}:\d+", port), "from this machine alone by default"


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    provisioning = ROOT / "deploy/grafana/provisioning"
    [source] = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [provider] = yaml.safe_load((provisioning / "dashboards/taskfold.yml").read_text())["providers"]
    mounted = [volume.split(":")[1] for volume in MONITORING["services"]["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/taskfold.json" in mounted
