"""Policy and waiver files: every error names file and line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from runbook_lib.adapters.policies import load_policies, load_policy_tests, load_waivers, policy_sha256
from runbook_lib.errors import ConfigError
from runbook_lib.models.compliance import Policy

PACK = Path(__file__).parents[3] / "policies"
IDS = {
    "sg-world-ssh", "sg-world-rdp", "sg-world-high-risk-ports", "sg-world-unapproved-port", "sg-world-all-ports",
    "sg-all-protocols", "sg-wide-public-source", "sg-egress-open", "sg-default-has-rules",
    "sg-rule-without-description", "sg-source-unknown", "delete-stateful", "nacl-admin-ports-open",
    "nacl-inline-admin-ports-open", "database-publicly-accessible", "eks-endpoint-open", "search-endpoint-public",
    "listener-without-tls", "prefix-list-widened",
    "quota-groups-of-an-interface", "quota-rules-of-a-group",
    "s3-public-access-not-blocked", "iam-everything-allowed", "sg-admin-without-expiry", "sg-rule-ends-soon",
}  # fmt: skip
GOOD = """policies:
  - id: a-b
    title: T
    severity: high
    action: block
    on_unknown: warn
    remedy: R
    rule: {direction: ingress}
"""
TODAY = date(2026, 1, 1)


def written(folder: Path, text: str, name: str = "p.yml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_default_pack_has_its_fixed_ids() -> None:
    assert {policy.id for policy in load_policies(PACK)} == IDS


def test_every_policy_of_the_pack_can_be_explained() -> None:
    assert [p.id for p in load_policies(PACK) if not (p.examples and p.description and p.controls)] == []


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (GOOD.replace("severity: high", "severity: dire"), 4, "severity"),
        (GOOD.replace("remedy:", "descripton: D\n    remedy:"), 7, "descripton"),
        (GOOD.replace("{direction: ingress}", "{}"), 8, "without a condition"),
        (GOOD.replace("{direction: ingress}", "{directon: ingress}"), 8, "directon"),
        (GOOD.replace("rule: {direction: ingress}", "resource: {types: [a], when: '1 +'}"), 8, "when"),
        (GOOD.replace("{direction: ingress}", "{reaches: [{ports: [70000]}]}"), 8, "70000"),
        (GOOD.replace("{direction: ingress}", "{reaches: []}"), 8, "reaches"),
        (GOOD.replace("{direction: ingress}", "{source: {outside: [x]}}"), 8, "does not appear to be"),
        (GOOD + GOOD.partition("\n")[2], 9, "stands in"),
        ("policies: 3\n", 1, "policies"),
        ("- a\n", 1, "a mapping"),
        ("policies:\n  - id: a\n   b: c\n", 3, ""),
        ("", 1, "policies"),
    ],
)
def test_error_in_a_policy_names_file_and_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_policies(written(tmp_path, text))
    assert f"p.yml, line {line}: " in caught.value.message
    assert says in caught.value.message


def test_folder_without_policies_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no policy"):
        load_policies(tmp_path)


def waivers(folder: Path, **fields: str) -> Path:
    usual = {"policy": "a-b", "address": "'*'", "owner": "me", "reason": "why", "expires": "2026-02-01"}
    lines = [f"    {key}: {value}" for key, value in {**usual, **fields}.items()]
    (folder / "waivers.yml").write_text("waivers:\n  -\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return folder / "waivers.yml"


def policies(folder: Path) -> tuple[Policy, ...]:
    return load_policies(written(folder, GOOD))


@pytest.mark.parametrize(
    ("fields", "line", "says"),
    [
        ({"policy": "a-c"}, 3, "there is no policy"),
        ({"expires": "2026-12-31"}, 7, "more than 90 days"),
        ({"expires": "soon"}, 7, "expires"),
        ({"expires": "20260201"}, 7, "a day is expected"),
        ({"owner": "''"}, 5, "owner"),
        ({"owner": "' '"}, 5, "the waiver's owner is blank"),
        ({"reason": "' '"}, 6, "the waiver's reason is blank"),
        ({"ownr": "x"}, 8, "ownr"),
    ],
)
def test_error_in_a_waiver_names_file_and_line(tmp_path: Path, fields: dict[str, str], line: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_waivers(waivers(tmp_path, **fields), policies(tmp_path), TODAY, 90)
    assert f"waivers.yml, line {line}: " in caught.value.message
    assert says in caught.value.message


def test_empty_waivers_are_no_waivers(tmp_path: Path) -> None:
    (tmp_path / "waivers.yml").write_text("waivers:\n")
    assert load_waivers(tmp_path / "waivers.yml", (), TODAY, 90) == ()


def test_digest_changes_with_any_byte_of_policy_or_waiver(tmp_path: Path) -> None:
    path = waivers(tmp_path)
    policies(tmp_path)
    first = policy_sha256(tmp_path, path)
    waivers(tmp_path, reason="because")
    second = policy_sha256(tmp_path, path)
    written(tmp_path, GOOD.replace("T", "U"))
    assert len({first, second, policy_sha256(tmp_path, path)}) == 3


def test_test_of_a_policy_gives_either_plan_or_hcl(tmp_path: Path) -> None:
    written(tmp_path, "tests:\n  - {name: n, expect: {}}\n", "t.yml")
    with pytest.raises(ConfigError, match="either plan or hcl"):
        list(load_policy_tests(tmp_path))
