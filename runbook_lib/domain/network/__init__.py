"""The network around security groups: read from a plan and from AWS, and asked what it lets through."""

from __future__ import annotations

from .from_aws import network_from_aws
from .from_plan import networks_from_plan, vpcs_of_plan
from .merge import with_live

__all__ = ["network_from_aws", "networks_from_plan", "vpcs_of_plan", "with_live"]
