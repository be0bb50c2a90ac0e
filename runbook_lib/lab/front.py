"""The web front's instance as AWS describes it, and the bucket policy, which moto keeps but does not enforce."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .clients import AwsClients

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["FRONT_APP", "Front", "front_app", "policy_allows"]

# The page is the very file that Terraform puts on the instance.
FRONT_APP = Path("terraform/network/web_front.py")
_PICTURE = re.compile(r"PICTURE_URL=https://([a-z0-9.-]+?)\.s3[.-][a-z0-9-]+\.amazonaws\.com/(\S+)")


def front_app(root: Path, picture_url: str) -> FastAPI:
    """The web front's application, loaded from the repository."""
    path = root / FRONT_APP
    spec = importlib.util.spec_from_file_location("runbook_lab_web_front", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(f"{FRONT_APP} is not there", "The lab needs the repository's terraform folder.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    create: Callable[[str], FastAPI] = module.create_app
    return create(picture_url)


@dataclass(frozen=True)
class Front:
    """The instance that serves the page, as AWS knows it."""

    aws: AwsClients

    def address(self) -> str:
        """Its public address; empty as long as there is none."""
        instance = self._instance()
        if instance is None:
            return ""
        found = self.aws.ec2.describe_addresses(Filters=[{"Name": "instance-id", "Values": [instance["InstanceId"]]}])
        return next((str(address["PublicIp"]) for address in found["Addresses"]), "")

    def picture(self) -> bytes | None:
        """What S3 would give the front, going by the bucket's policy; None if it is refused."""
        from botocore.exceptions import ClientError

        try:
            bucket, key = self._picture_place()
            policy = json.loads(self.aws.s3.get_bucket_policy(Bucket=bucket)["Policy"])
            if not policy_allows(policy, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", self.address()):
                return None
            return bytes(self.aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except (ClientError, LookupError):
            return None

    def _instance(self) -> dict[str, Any] | None:
        filters = [
            {"Name": "tag:Name", "Values": ["*-web-front"]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        reservations = self.aws.ec2.describe_instances(Filters=filters)["Reservations"]
        return next((instance for reservation in reservations for instance in reservation["Instances"]), None)

    def _picture_place(self) -> tuple[str, str]:
        instance = self._instance()
        if instance is None:
            raise LookupError("there is no web front")
        told = self.aws.ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")
        user_data = base64.b64decode(told["UserData"]["Value"]).decode()
        found = _PICTURE.search(user_data)
        if found is None:
            raise LookupError("the user data names no picture")
        return found[1], found[2]


def policy_allows(policy: dict[str, Any], action: str, resource: str, source: str) -> bool:
    """Whether an anonymous caller at this address is let in; a condition that is not understood lets nobody in."""
    return any(
        statement["Effect"] == "Allow"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and action in _many(statement["Action"])
        and resource in _many(statement["Resource"])
        and all(_holds(test, what, source) for test, what in statement.get("Condition", {}).items())
        for statement in policy["Statement"]
    )


def _holds(test: str, what: dict[str, Any], source: str) -> bool:
    if test != "IpAddress" or set(what) != {"aws:SourceIp"} or not source:
        return False
    return any(ip_address(source) in ip_network(network) for network in _many(what["aws:SourceIp"]))


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
