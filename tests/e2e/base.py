"""The lab's base as it was built, and the way back to it."""

from __future__ import annotations

import shutil
from typing import Any

import boto3
import pytest
import requests

from runbook_lib.cli.lab_base import BASE_RULES
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.lab.process import control
from runbook_lib.settings import Settings
from runbook_lib.workspace.clients import terraform_client

Rule = tuple[str, bool, int, int, str]


class Base:
    """Remembers AWS's rules at the base. `restore` is quick when nothing was changed."""

    def __init__(self, settings: Settings, lab: LabAddresses) -> None:
        self.settings = settings
        self.lab = lab
        self._rules = set(self._described())

    def restore(self) -> None:
        """Heal what fails on order, and bring rules and state back to what they were."""
        control(self.lab, "DELETE", "/lab/faults")
        for url in (f"{self.lab.gitlab_url}/lab/gitlab/faults", f"{self.lab.slack_url}/lab/slack/faults"):
            requests.delete(url, timeout=30).raise_for_status()
        clock = f"{self.lab.gitlab_url}/lab/gitlab/clock"
        requests.post(clock, json={"ahead_seconds": 0}, timeout=30).raise_for_status()
        self._break_lock()
        shutil.copyfile(BASE_RULES, self.lab.repository / self._stack / "rules.auto.tfvars")
        if set(self._described()) != self._rules:
            self._apply()
            self._remove_added()
        assert set(self._described()) == self._rules

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
        credentials = ("terraform-bot", self.lab.credentials.gitlab["terraform-bot"])
        for stack in self.settings.config.stacks.values():
            url = f"{self.lab.gitlab_api}/projects/42/terraform/state/{stack.state}/lock"
            requests.delete(url, auth=credentials, timeout=30).raise_for_status()

    def _apply(self) -> None:
        outputs = self.settings.outputs
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**self.lab.environment(), "RUNBOOK_OUTPUTS": str(outputs)}.items():
                patch.setenv(name, value)
            terraform = terraform_client(Settings.load(self.lab.repository), "access")
        terraform.run("apply", "-auto-approve", "-input=false", "-no-color")

    def _remove_added(self) -> None:
        ec2 = self.ec2()
        for rule, found in self._described().items():
            if rule not in self._rules:
                revoke = ec2.revoke_security_group_egress if rule[1] else ec2.revoke_security_group_ingress
                revoke(GroupId=rule[0], SecurityGroupRuleIds=[found["SecurityGroupRuleId"]])

    def _described(self) -> dict[Rule, dict[str, Any]]:
        pages = self.ec2().get_paginator("describe_security_group_rules").paginate()
        return {_rule(found): found for page in pages for found in page["SecurityGroupRules"]}


def _rule(found: dict[str, Any]) -> Rule:
    other = found.get("CidrIpv4") or found.get("CidrIpv6") or str(found.get("ReferencedGroupInfo", {}).get("GroupId"))
    return found["GroupId"], found["IsEgress"], found.get("FromPort", -1), found.get("ToPort", -1), other
