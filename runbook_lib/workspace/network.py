"""The network around security groups as the plan has it and, where credentials are there, as AWS has it."""

from __future__ import annotations

from ..domain.network import network_from_aws, networks_from_plan, vpcs_of_plan, with_live
from ..domain.rules import RuleChanges
from ..errors import AwsError
from ..models.network import Networks
from ..models.plan import Plan

__all__ = ["networks_of"]


def networks_of(plan: Plan, rules: RuleChanges) -> tuple[Networks, AwsError | None]:
    """Before and after the plan; with the error where AWS could not be asked, of which nothing is then known."""
    from ..adapters.aws import live_client

    planned = networks_from_plan(plan, rules)
    vpcs, things = vpcs_of_plan(plan)
    if not vpcs | things:
        return planned, None
    try:
        described = live_client().network(vpcs, things)
    except AwsError as error:
        return planned, error
    return (with_live(planned, network_from_aws(described)), None) if described else (planned, None)
