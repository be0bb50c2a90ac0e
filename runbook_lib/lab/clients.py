"""The lab's own boto3 clients, made when first used: boto3 takes half a second to import."""

from __future__ import annotations

import threading
from typing import Any

from .addresses import REGION, Credentials

__all__ = ["INSIDE", "AwsClients"]

# What the lab asks of its own AWS is not meant by the failures that were ordered.
INSIDE = "runbook-lab-inside"


class AwsClients:
    """Clients of the AWS at this address, shared by every thread of the lab."""

    def __init__(self, url: str, credentials: Credentials) -> None:
        self._url = url
        self._credentials = credentials
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], Any] = {}

    @property
    def ec2(self) -> Any:
        """EC2 in the lab's own region."""
        return self._client("ec2", REGION)

    def ec2_in(self, region: str) -> Any:
        """EC2 in this region."""
        return self._client("ec2", region)

    def targets(self, balancer: str, port: int, region: str) -> list[tuple[str, int]]:
        """The instances, and their ports, to which a load balancer (by the end of its ARN) leads from this port."""
        elb = self._client("elbv2", region)
        known = [each["LoadBalancerArn"] for each in elb.describe_load_balancers()["LoadBalancers"]]
        listeners = [each for arn in known if arn.endswith(f"loadbalancer/{balancer}")
                     for each in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]]  # fmt: skip
        actions = [a for each in listeners if each["Port"] == port for a in each["DefaultActions"]]
        return [
            (health["Target"]["Id"], int(health["Target"]["Port"]))
            for action in actions if action.get("TargetGroupArn")
            for group in [action["TargetGroupArn"]]
            for health in elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        ]  # fmt: skip

    @property
    def s3(self) -> Any:
        """S3."""
        return self._client("s3", REGION)

    def warm(self) -> None:
        """Make the first calls, which load the services: moto and boto3 read theirs when they are first asked."""
        self.ec2.describe_vpcs()
        self.s3.list_buckets()

    def _client(self, service: str, region: str) -> Any:
        # boto3's default session may not make two clients at once.
        with self._lock:
            if (service, region) not in self._made:
                self._made[service, region] = self._make(service, region)
            return self._made[service, region]

    def _make(self, service: str, region: str) -> Any:
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self._url,
            aws_access_key_id=self._credentials.aws_key,
            aws_secret_access_key=self._credentials.aws_secret,
            config=Config(proxies={}, retries={"total_max_attempts": 1}, user_agent_extra=INSIDE),
        )
