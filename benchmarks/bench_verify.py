"""`make bench-verify`: how long the comparing of three places takes for a large stack, beyond AWS's own time.

    python benchmarks/bench_verify.py [--rules 10000] [--groups 300] [--rounds 3]

A stand-in for Terraform gives out a state and a plan that were written before, and a server of this file answers as
EC2 does, page by page; the time in which it answers is taken off. Exit status 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

MOST_SECONDS, MORE_CALLS = 4.0, 2
PAGE, FILTER_VALUES = 1000, 200  # most that EC2 gives in one page, and takes as values of one filter
PROVIDER = "registry.terraform.io/hashicorp/aws"
ADDRESS = 'provider["registry.terraform.io/hashicorp/aws"]'
REGION, ACCOUNT = "eu-west-1", "123456789012"
NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
STAND_IN = """#!{python}
import shutil, sys
word = next((word for word in ("version", "plan", "show", "state") if word in sys.argv), "")
if word == "version":
    print('{{"terraform_version": "1.11.4"}}')
elif word == "plan":
    open(next(each for each in sys.argv if each.startswith("-out=")).removeprefix("-out="), "w").close()
    sys.exit(2)
elif word:
    shutil.copyfileobj(open("{folder}/" + word + ".json"), sys.stdout)
"""
MEASURED = """
import json, sys, time
from runbook_lib.settings import Settings
from runbook_lib.workspace.comparison import compare_places, gather_places
started = time.perf_counter()
found = compare_places(gather_places(Settings.load(), "large", lambda line: None))
seconds = time.perf_counter() - started
kinds = [difference.kind.value for difference in found.differences]
print(json.dumps({"seconds": seconds, "in_sync": found.in_sync, "kinds": sorted(set(kinds)), "count": len(kinds)}))
"""


@dataclass
class Stack:
    """A stack of some rules in some groups, each rule a resource; one rule in AWS that nobody wrote."""

    rules: int
    groups: int

    def values(self, index: int) -> dict[str, Any]:
        """The attributes of a rule."""
        return {
            "id": f"sgr-{index:08x}", "arn": self._arn("security-group-rule", f"sgr-{index:08x}"),
            "security_group_id": f"sg-{index % self.groups:08x}", "security_group_rule_id": f"sgr-{index:08x}",
            "ip_protocol": "tcp", "from_port": 1024 + index // self.groups, "to_port": 1024 + index // self.groups,
            "cidr_ipv4": f"10.{index // 250 % 250}.{index % 250}.0/24", "cidr_ipv6": None, "prefix_list_id": None,
            "referenced_security_group_id": None, "description": f"Rule {index}", "tags": None, "tags_all": {},
            "region": REGION,
        }  # fmt: skip

    def group(self, number: int) -> dict[str, Any]:
        """The attributes of a group."""
        identity = f"sg-{number:08x}"
        return {
            "id": identity, "arn": self._arn("security-group", identity), "name": f"g{number}",
            "description": "Generated", "vpc_id": "vpc-1", "owner_id": ACCOUNT, "tags": None, "tags_all": {},
            "ingress": [], "egress": [], "region": REGION,
        }  # fmt: skip

    def resources(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Type, name and values of each."""
        for number in range(self.groups):
            yield "aws_security_group", f"g{number}", self.group(number)
        for index in range(self.rules):
            yield "aws_vpc_security_group_ingress_rule", f"r{index}", self.values(index)

    def state(self) -> dict[str, Any]:
        """The state document, version 4."""
        resources = [
            {"mode": "managed", "type": kind, "name": name, "provider": ADDRESS,
             "instances": [{"schema_version": 0, "attributes": values, "sensitive_attributes": []}]}
            for kind, name, values in self.resources()
        ]  # fmt: skip
        head = {"version": 4, "terraform_version": "1.11.4", "serial": 7, "lineage": "bench", "outputs": {}}
        return {**head, "resources": resources, "check_results": None}

    def plan(self) -> dict[str, Any]:
        """What `terraform show -json` tells of a plan that changes one rule's description."""
        held, changes, configured = [], [], []
        for kind, name, values in self.resources():
            common = {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "name": name}
            common["provider_name"] = PROVIDER
            wanted = {**values, "description": "Another"} if name == "r0" else values
            held.append({**common, "schema_version": 0, "values": values, "sensitive_values": {}})
            change = {"actions": ["update" if name == "r0" else "no-op"], "before": values, "after": wanted}
            changes.append(
                {**common, "change": {**change, "after_unknown": {}, "before_sensitive": {}, "after_sensitive": {}}}
            )
            group = f"aws_security_group.g{int(name[1:]) % self.groups}"
            expressions = {"security_group_id": {"references": [f"{group}.id", group]}} if kind.endswith("rule") else {}
            configured.append({**common, "provider_config_key": "aws", "expressions": expressions, "schema_version": 0})
        return {
            "format_version": "1.2", "terraform_version": "1.11.4", "applyable": True, "complete": True,
            "errored": False, "resource_changes": changes, "timestamp": "2026-01-01T00:00:00Z",
            "prior_state": {"values": {"root_module": {"resources": held}}},
            "planned_values": {"root_module": {"resources": held}},
            "configuration": {"provider_config": {"aws": {"name": "aws", "full_name": PROVIDER}},
                              "root_module": {"resources": configured}},
        }  # fmt: skip

    def in_groups(self, groups: list[str]) -> list[str]:
        """The rules of these groups, each as XML."""
        wanted = {int(group.removeprefix("sg-"), 16) for group in groups}
        found = [_rule_xml(self.values(index)) for index in range(self.rules) if index % self.groups in wanted]
        return found + (
            [_rule_xml({**self.values(0), "id": "sgr-hand", "from_port": 22, "to_port": 22})] if 0 in wanted else []
        )

    def _arn(self, kind: str, identity: str) -> str:
        return f"arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/{identity}"


@dataclass
class Ec2:
    """What was asked of the server, and for how long it answered itself."""

    stack: Stack
    calls: list[str] = field(default_factory=list)
    seconds: float = 0.0
    known: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Mapping[str, list[str]]) -> str:
        """The XML for one call."""
        started = time.perf_counter()
        action = asked["Action"][0]
        text = self._answer(action, asked)
        with self.lock:
            self.calls.append(action)
            self.seconds += time.perf_counter() - started
        return text

    def _answer(self, action: str, asked: Mapping[str, list[str]]) -> str:
        groups = [values[0] for name, values in asked.items() if name.startswith(("Filter.1.Value.", "GroupId."))]
        if action == "GetCallerIdentity":
            result = f"<Account>{ACCOUNT}</Account><Arn>arn:aws:iam::{ACCOUNT}:user/a</Arn><UserId>a</UserId>"
            space = "https://sts.amazonaws.com/doc/2011-06-15/"
            return f'<{action}Response xmlns="{space}"><{action}Result>{result}</{action}Result></{action}Response>'
        if action == "DescribeSecurityGroupRules":
            rules = self.known.setdefault(tuple(groups), []) or self.known[tuple(groups)]
            if not rules:
                rules += self.stack.in_groups(groups)
            begin = int(asked.get("NextToken", ["0"])[0])
            page = rules[begin : begin + PAGE]
            more = f"<nextToken>{begin + PAGE}</nextToken>" if begin + PAGE < len(rules) else ""
            return _response(action, f"<securityGroupRuleSet>{''.join(page)}</securityGroupRuleSet>{more}")
        if action == "DescribeSecurityGroups":
            items = [
                f"<item><groupId>{group}</groupId><groupName>g{int(group.removeprefix('sg-'), 16)}</groupName></item>"
                for group in groups
            ]
            return _response(action, f"<securityGroupInfo>{''.join(items)}</securityGroupInfo>")
        return _response(action, "<networkInterfaceSet/>")


def _response(action: str, inside: str) -> str:
    return f'<{action}Response xmlns="{NAMESPACE}"><requestId>r</requestId>{inside}</{action}Response>'


def _rule_xml(values: Mapping[str, Any]) -> str:
    return (
        f"<item><securityGroupRuleId>{values['id']}</securityGroupRuleId><groupId>{values['security_group_id']}</groupId>"
        f"<groupOwnerId>{ACCOUNT}</groupOwnerId><isEgress>false</isEgress><ipProtocol>tcp</ipProtocol>"
        f"<fromPort>{values['from_port']}</fromPort><toPort>{values['to_port']}</toPort>"
        f"<cidrIpv4>{values['cidr_ipv4']}</cidrIpv4><description>{values['description']}</description><tagSet/></item>"
    )


@contextmanager
def served(ec2: Ec2) -> Iterator[str]:
    """The address at which the server answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            content = ec2.answer(parse_qs(body)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def prepare(folder: Path, stack: Stack) -> None:
    """Write the repository of the stack, and the stand-in with what it gives out."""
    (folder / "stack/.terraform").mkdir(parents=True)
    (folder / "stack/main.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    (folder / "runbook.yml").write_text("version: 1\nstacks:\n  large: {path: stack, state: large}\n")
    (folder / "state.json").write_text(json.dumps(stack.state()))
    (folder / "show.json").write_text(json.dumps(stack.plan()))
    binary = folder / "terraform"
    binary.write_text(STAND_IN.format(python=sys.executable, folder=folder))
    binary.chmod(0o755)


def measure(folder: Path, url: str) -> dict[str, Any]:
    environment = {
        **os.environ, "RUNBOOK_ROOT": str(folder), "RUNBOOK_OUTPUTS": str(folder / "outputs"),
        "RUNBOOK_TERRAFORM": str(folder / "terraform"), "AWS_ENDPOINT_URL": url, "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def fewest_calls(stack: Stack) -> int:
    """Who we are; then pages of rules, and for names and carriers as many filters as the groups need."""
    return 1 + math.ceil((stack.rules + 1) / PAGE) + 2 * math.ceil(stack.groups / FILTER_VALUES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--groups", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    stack = Stack(options.rules, options.groups)
    ours: list[float] = []
    calls = 0
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), stack)
        for _ in range(options.rounds):
            ec2 = Ec2(stack)
            with served(ec2) as url:
                found = measure(Path(name), url)
            ours.append(found["seconds"] - ec2.seconds)
            calls = len(ec2.calls)
            print(
                f"{stack.rules} rules in {stack.groups} groups: {found['seconds']:.2f} s, of which AWS "
                f"{ec2.seconds:.2f} s; {calls} calls; {found['in_sync']} agree, {found['count']} differ "
                f"({', '.join(found['kinds'])})"
            )
    limit = fewest_calls(stack) + MORE_CALLS
    promises = [
        (f"at most {MOST_SECONDS} s beyond AWS's own time: {min(ours):.2f} s", min(ours) <= MOST_SECONDS),
        (f"at most {limit} calls, the fewest and {MORE_CALLS} more: {calls}", calls <= limit),
        (f"all but two rules agree: {found['in_sync']}", (found["in_sync"], found["count"]) == (stack.rules - 1, 2)),
    ]
    for text, kept in promises:
        print(f"{'kept  ' if kept else 'BROKEN'}  {text}")
    return 0 if all(kept for _, kept in promises) else 1


if __name__ == "__main__":
    sys.exit(main())
