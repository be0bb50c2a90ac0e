"""What was not read or not judged, told as findings: silence about it would pass for a verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from runbook_lib.models.findings import Action, Finding, Severity, Verdict

__all__ = ["doubtful_files", "reaches_the_network", "unjudged_types", "unread_modules"]

# Types that open something to a network, or decide who is let in, by what their names begin with.
_REACHING: Final = (
    "aws_alb",
    "aws_api_gateway_rest_api", "aws_apigatewayv2_api", "aws_appsync_graphql_api", "aws_cloudfront_distribution",
    "aws_customer_gateway", "aws_db_instance", "aws_default_network_acl", "aws_docdb_cluster", "aws_dx_",
    "aws_ec2_client_vpn",
    "aws_ec2_transit_gateway_vpc", "aws_eks_cluster", "aws_elasticache_", "aws_elasticsearch_domain", "aws_elb",
    "aws_emr_cluster", "aws_globalaccelerator_", "aws_iam_policy", "aws_iam_role_policy", "aws_iam_user_policy",
    "aws_lambda_function_url", "aws_lb", "aws_lightsail_", "aws_mq_broker", "aws_msk_cluster", "aws_neptune_cluster",
    "aws_network_acl", "aws_networkfirewall_", "aws_opensearch_domain", "aws_rds_cluster", "aws_redshift_cluster",
    "aws_s3_bucket_acl", "aws_s3_bucket_policy", "aws_s3_bucket_public_access_block", "aws_transfer_server",
    "aws_vpc_endpoint", "aws_vpc_peering_connection", "aws_vpn_", "awscc_ec2_", "awscc_eks_",
    "awscc_elasticache_", "awscc_elasticloadbalancing", "awscc_iam_", "awscc_lightsail_", "awscc_opensearch",
    "awscc_rds_",
    "awscc_redshift", "aws_dms_replication_instance", "aws_iam_group_policy", "aws_memorydb_cluster",
    "aws_redshiftserverless_workgroup", "azurerm_mssql_firewall_rule", "azurerm_postgresql_f",
    "alicloud_security_group",
    "azurerm_firewall", "azurerm_lb", "azurerm_network_security_", "azurerm_public_ip", "digitalocean_firewall",
    "google_compute_firewall", "google_compute_forwarding_rule", "google_compute_global_forwarding_rule",
    "google_container_cluster", "google_sql_database_instance", "hcloud_firewall", "kubernetes_ingress",
    "kubernetes_network_policy", "oci_core_security_list", "oci_core_network_security_group",
    "openstack_networking_secgroup",
)  # fmt: skip
# Parts of such things that open nothing by themselves.
_QUIET: Final = (
    "_attachment", "_association", "_parameter_group", "_subnet_group", "_target_group", "_option_group", "_user",
    "_user_group", "_stickiness_policy",
)  # fmt: skip
_NAMED: Final = 3


def reaches_the_network(kind: str) -> bool:
    """Whether resources of this type open something to a network, or decide who is let in."""
    return kind.startswith(_REACHING) and not kind.endswith(_QUIET)


def unjudged_types(touched: Iterable[tuple[str, str]], judged: Collection[str]) -> Iterator[Finding]:
    """A finding for each type that reaches the network and that no policy looks at; `touched` are address and type.

    Its address is the type: a waiver answers for all of it.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for address, kind in touched:
        if kind not in judged and reaches_the_network(kind):
            found[kind].append(address)
    for kind, addresses in sorted(found.items()):
        more = f" and {len(addresses) - _NAMED} more" if len(addresses) > _NAMED else ""
        yield _finding(
            "type-not-judged",
            kind,
            f"No policy looks at {kind}, which reaches the network: {', '.join(addresses[:_NAMED])}{more}",
            "Look at it yourself, or write a policy for this type: docs/policies.md.",
        )


def unread_modules(calls: Iterable[str]) -> Iterator[Finding]:
    """A finding for each call of a module whose files are not here."""
    for call in calls:
        yield _finding(
            "module-not-read",
            call,
            f"What {call} declares is not known: its files are not here",
            "Run terraform init, which lays it down, or judge a plan.",
        )


def doubtful_files(files: Iterable[str]) -> Iterator[Finding]:
    """A finding for each file that changes what is read, and that Terraform leaves out."""
    for file in files:
        yield _finding(
            "file-in-doubt",
            file,
            f"OpenTofu reads {file} in place of what Terraform reads, and which of them will run is not known here",
            "Keep one of the two, or judge a plan.",
        )


def _finding(policy: str, address: str, message: str, remedy: str) -> Finding:
    return Finding(
        policy=policy,
        verdict=Verdict.UNKNOWN,
        severity=Severity.LOW,
        address=address,
        message=message,
        remedy=remedy,
        action=Action.WARN,
    )
