"""The lab's base as it was built, and the way back to it."""

from __future__ import annotations

import json
import shutil
from typing import Any

import boto3
import requests

from runbook_lib.cli.lab_base import BASE_RULES
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.lab.process import control
from runbook_lib.settings import Settings

Rule = tuple[str, bool, int, int, str]


class Base:
    """Remembers AWS's rules and the state as they were built. `restore` is quick: Terraform would take six seconds."""

    def __init__(self, settings: Settings, lab: LabAddresses) -> None:
        self.settings = settings
        self.lab = lab
        self._rules = self._described()
        self._state = self._read_state()
        self._seen = self._identities(), self._state["serial"]

    def restore(self) -> None:
        """Heal what fails on order, and bring rules and state back to what they were."""
        control(self.lab, "DELETE", "/lab/faults")
        for url in (f"{self.lab.gitlab_url}/lab/gitlab/faults", f"{self.lab.slack_url}/lab/slack/faults"):
            requests.delete(url, timeout=30).raise_for_status()
        clock = f"{self.lab.gitlab_url}/lab/gitlab/clock"
        requests.post(clock, json={"ahead_seconds": 0}, timeout=30).raise_for_status()
        self._break_lock()
        shutil.copyfile(BASE_RULES, self.lab.repository / self._stack / "rules.auto.tfvars")
        if (self._identities(), self._read_state().get("serial")) != self._seen:
            self._bring_back()
        assert set(self._described()) == set(self._rules)

    def ec2(self) -> Any:
        """A client of the lab's EC2."""
        return boto3.client(
            "ec2",
            endpoint_url=self.lab.aws_url,
            region_name="eu-west-1",
            aws_access_key_id=self.lab.credentials.aws_key,
            aws_secret_access_key=self.lab.credentials.aws_secret,
        )

    @property
    def _stack(self) -> str:
        return self.settings.config.stacks["access"].path

    def _break_lock(self) -> None:
        for stack in self.settings.config.stacks.values():
            url = f"{self.lab.gitlab_api}/projects/42/terraform/state/{stack.state}/lock"
            requests.delete(url, auth=self._credentials, timeout=30).raise_for_status()

    def _bring_back(self) -> None:
        """Put AWS's rules right, and write the state as it was built, with the identities that they have now."""
        for rule, found in self._described().items():
            if rule not in self._rules:
                self._call("revoke", rule)(GroupId=rule[0], SecurityGroupRuleIds=[found["SecurityGroupRuleId"]])
        there = self._described()
        for rule in self._rules.keys() - there.keys():
            tags = {"ResourceType": "security-group-rule", "Tags": self._rules[rule]["Tags"]}
            self._call("authorize", rule)(
                GroupId=rule[0], IpPermissions=[_permission(self._rules[rule])], TagSpecifications=[tags]
            )
        text = json.dumps(self._state | {"serial": int(self._read_state().get("serial", 0)) + 1})
        identities = self._identities()
        for rule, found in self._rules.items():
            text = text.replace(found["SecurityGroupRuleId"], identities[rule])
        requests.post(self._state_url, data=text, auth=self._credentials, timeout=30).raise_for_status()
        self._seen = identities, json.loads(text)["serial"]

    def _call(self, verb: str, rule: Rule) -> Any:
        return getattr(self.ec2(), f"{verb}_security_group_{'egress' if rule[1] else 'ingress'}")

    @property
    def _credentials(self) -> tuple[str, str]:
        return "terraform-bot", self.lab.credentials.gitlab["terraform-bot"]

    @property
    def _state_url(self) -> str:
        return f"{self.lab.gitlab_api}/projects/42/terraform/state/{self.settings.config.stacks['access'].state}"

    def _read_state(self) -> dict[str, Any]:
        answer = requests.get(self._state_url, auth=self._credentials, timeout=30)
        # A test may have deleted it.
        return dict(answer.json()) if answer.status_code == 200 else {}

    def _identities(self) -> dict[Rule, str]:
        return {rule: found["SecurityGroupRuleId"] for rule, found in self._described().items()}

    def _described(self) -> dict[Rule, dict[str, Any]]:
        pages = self.ec2().get_paginator("describe_security_group_rules").paginate()
        return {_rule(found): found for page in pages for found in page["SecurityGroupRules"]}


def _rule(found: dict[str, Any]) -> Rule:
    other = found.get("CidrIpv4") or found.get("CidrIpv6") or str(found.get("ReferencedGroupInfo", {}).get("GroupId"))
    return found["GroupId"], found["IsEgress"], found.get("FromPort", -1), found.get("ToPort", -1), other


def _permission(found: dict[str, Any]) -> dict[str, Any]:
    description = {"Description": found["Description"]} if found.get("Description") else {}
    permission: dict[str, Any] = {"IpProtocol": found["IpProtocol"]}
    if found["IpProtocol"] != "-1":
        permission |= {"FromPort": found["FromPort"], "ToPort": found["ToPort"]}
    if "CidrIpv4" in found:
        return permission | {"IpRanges": [{"CidrIp": found["CidrIpv4"], **description}]}
    if "CidrIpv6" in found:
        return permission | {"Ipv6Ranges": [{"CidrIpv6": found["CidrIpv6"], **description}]}
    return permission | {"UserIdGroupPairs": [{"GroupId": found["ReferencedGroupInfo"]["GroupId"], **description}]}
