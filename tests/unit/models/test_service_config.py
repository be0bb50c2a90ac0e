"""What runbook.yml and services.yml may say of services, and how a slip is told."""

from __future__ import annotations

import itertools
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runbook_lib.errors import ConfigError
from runbook_lib.models.service_config import ServiceConfig
from runbook_lib.repository import Repository

HERE = {"name": "s", "targets": ["www.example.com"]}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"targets": []}, "names nobody to ask"),
        ({"tags": {"a": "b"}}, "in more than one way: tags, targets"),
        ({"targets": ["http://x/"]}, "neither a host's name nor an address"),
        ({"kind": "tcp"}, "needs a port"),
        ({"kind": "dns"}, "needs the name to ask for"),
        ({"kind": "tls", "status": 200}, "belongs to kind: http, and this service is of kind: tls"),
        ({"port": 22}, "belongs to kind: dns or tcp or tls"),
        ({"expect": "refused", "status": 200}, "speaks of the answer, and expect: refused wants none"),
        ({"status": "2xx"}, "neither a status nor a range"),
        ({"status": "299-200"}, "neither a status nor a range"),
        ({"matches": "("}, "is no regular expression: unclosed group"),
        ({"matches": "a(?=b)"}, "is no regular expression: look-around"),
        ({"jsonpath": {"$..[": 1}}, "is no JSONPath"),
        ({"jsonpath": {"$.a[?(@.b =~ 'x')]": 1}}, "a filter by regular expression"),
        ({"headers": {"Authorization": "Bearer x"}}, "named like a secret"),
        ({"headers": {"X-Api-Key": "x"}}, "named like a secret"),
        ({"headers": {"X-A": "a\r\nX-B: c"}}, "control character"),
        ({"headers": {"Host": "x"}}, "set by the client itself"),
        ({"headers": {"X A": "x"}}, "no header's name"),
        ({"headers": {"X-A": {"variable": "GITLAB_TOKEN"}}}, "no service is sent"),
        ({"headers": {"X-A": {"variable": "AWS_SECRET_ACCESS_KEY"}}}, "no service is sent"),
        ({"headers": {"X-A": {"variable": "CI_JOB_TOKEN"}}}, "no service is sent"),
        ({"headers": {"X-A": {"variable": "KEY", "text": "Bearer"}}}, "has no {value}"),
        ({"redirects_to": ["www.example.com"]}, "is no origin"),
        ({"redirect": "forbidden", "redirects_to": ["http://a.example"]}, "contradicts redirect"),
        ({"location": "http://a.example"}, "needs redirect: required"),
    ],
)
def test_a_slip_is_told(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ServiceConfig.model_validate(HERE | said)
    assert told in str(caught.value)


def load(folder: Path, **files: str) -> Any:
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text)
    return Repository(folder, folder / "runbook.yml").load()


SERVICES = "services:\n  - {name: web, targets: [www.example.com]}\n"


def test_a_repository_may_have_services_alone(tmp_path: Path) -> None:
    config = load(tmp_path, services=SERVICES + "slack: {channel: '#watch'}\n")
    assert [service.name for service in config.services_of(config.default_stack)] == ["web"]
    assert config.slack.channel == "#watch"


def test_the_services_may_stand_in_a_file_beside_runbook_yml(tmp_path: Path) -> None:
    config = load(tmp_path, services=SERVICES, runbook="stacks: {access: {path: .}}\n")
    assert [service.name for service in config.services_of("access")] == ["web"]


def test_both_files_may_not_say_the_same(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"services\.yml: services is said by runbook\.yml"):
        load(tmp_path, services=SERVICES, runbook="stacks: {access: {path: .}}\n" + SERVICES)


def test_two_services_of_one_name_are_told_with_their_line(tmp_path: Path) -> None:
    twice = SERVICES + "  - {name: web, targets: [a.example]}\n"
    with pytest.raises(ConfigError, match=r"runbook\.yml, line 4: services\.1\.name: two services are named 'web'"):
        load(tmp_path, runbook="stacks: {access: {path: .}}\n" + twice)
    (tmp_path / "runbook.yml").unlink()
    with pytest.raises(ConfigError, match="two services are named 'web'"):
        load(tmp_path, services=twice)


def test_two_services_of_one_stack_of_one_name_are_told_and_of_two_stacks_may_be(tmp_path: Path) -> None:
    one, other = ("{name: web, targets: [a.example]}", "{name: web, targets: [b.example]}")

    def stacks(access: str, shop: str) -> str:
        of_access, of_shop = (f"{{path: {name}, services: [{said}]}}" for name, said in (("a", access), ("b", shop)))
        return f"stacks:\n  access: {of_access}\n  shop: {of_shop}\n"

    with pytest.raises(ConfigError, match="two services are named 'web'"):
        load(tmp_path, runbook=stacks(f"{one}, {other}", other))
    config = load(tmp_path, runbook=stacks(one, other))
    assert [config.services_of(stack)[0].targets for stack in ("access", "shop")] == [("a.example",), ("b.example",)]


DOCS = Path(__file__).parents[3] / "docs"


def test_the_examples_in_the_documentation_can_be_written_so(tmp_path: Path) -> None:
    alone = re.findall(r"```yaml\n(services:.*?)```", (DOCS / "service-tests.md").read_text(), re.DOTALL)
    assert [load(tmp_path, services=text).slack.channel for text in alone] == ["#shop-watch"]
    (tmp_path / "services.yml").unlink()
    text = (DOCS / "configuration.md").read_text().partition("    services:\n")[2]
    listed = "\n".join(
        ["    services:", *itertools.takewhile(lambda line: line.startswith("      "), text.splitlines())]
    )
    config = load(tmp_path, runbook="stacks: {network: {path: .}}\n" + textwrap.dedent(listed) + "\n")
    assert [service.kind for service in config.services] == ["http", "tls", "tcp", "dns"]
