"""How risky a change is: a level for each thing that an approver would lose sleep over, and the highest of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..models.base import Unknown
from ..models.exposure import Exposure, ExposureEntry, Reachable
from ..models.findings import Finding, Verdict
from ..models.plan import Plan, ResourceChange
from ..models.risk import Risk, RiskLevel, RiskReason
from ..models.windows import ChangeWindow
from ..wording import join, opening, party, says_whom

__all__ = ["ADMIN_PORTS", "DATA_STORES", "RULE_TYPES", "RiskFacts", "assess_risk"]

# Who gets in there has the machine, the cluster or the data.
ADMIN_PORTS: Final = {
    22: "SSH", 23: "Telnet", 135: "RPC", 139: "NetBIOS", 445: "SMB", 1433: "SQL Server", 1521: "Oracle",
    2375: "Docker", 2376: "Docker", 2379: "etcd", 3306: "MySQL", 3389: "RDP", 5432: "PostgreSQL", 5439: "Redshift",
    5900: "VNC", 5985: "WinRM", 5986: "WinRM", 6379: "Redis", 6443: "Kubernetes", 9042: "Cassandra",
    9200: "Elasticsearch", 9300: "Elasticsearch", 10250: "kubelet", 11211: "Memcached", 27017: "MongoDB",
}  # fmt: skip
# What is open to the world where nothing is wrong.
_WEB: Final = frozenset({80, 443})
# Types whose destruction takes what was in them: those of the policy delete-stateful.
DATA_STORES: Final = frozenset(
    f"aws_{name}"
    for name in """
    backup_vault dax_cluster db_instance docdb_cluster docdbelastic_cluster dsql_cluster dynamodb_table ebs_volume
    ecr_repository efs_file_system elasticache_cluster elasticache_replication_group elasticache_serverless_cache
    elasticsearch_domain fsx_lustre_file_system fsx_ontap_file_system fsx_ontap_volume fsx_openzfs_file_system
    fsx_openzfs_volume fsx_windows_file_system glacier_vault keyspaces_table kinesis_stream lightsail_bucket
    lightsail_database lightsail_disk memorydb_cluster mq_broker msk_cluster msk_serverless_cluster neptune_cluster
    neptunegraph_graph opensearch_domain opensearchserverless_collection rds_cluster rds_global_cluster redshift_cluster
    redshiftserverless_namespace s3_bucket s3_directory_bucket s3tables_table_bucket timestreaminfluxdb_db_instance
    timestreamwrite_table
    """.split()  # noqa: SIM905  words are read more easily so
)
# Rules come and go with every change of access, and what they mean is said as exposure.
RULE_TYPES: Final = frozenset(
    {"aws_security_group_rule", "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"}
)
# Nothing is reached, but only for want of a member, an address or a route.
_WAITING: Final = frozenset({Reachable.NO_MEMBER, Reachable.OPEN_BUT_NOT_REACHABLE})
_ICMP: Final = frozenset({"icmp", "icmpv6"})
# More ports than these are no service: they are a door.
_FEW_PORTS: Final = 4


@dataclass(frozen=True)
class RiskFacts:
    """What the level is made of. `first` says that no applied commit of the stack is known.

    `windows` are the times in which the stack may change, none for any; `now` has a zone. `governance` and `code` are
    the sentences of the request, of what judges the change and what it runs.
    """

    plan: Plan
    exposure: Exposure
    findings: tuple[Finding, ...] = ()
    governance: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    windows: tuple[ChangeWindow, ...] = ()
    now: datetime | None = None
    first: bool = False
    dirty: bool = False


def assess_risk(facts: RiskFacts) -> Risk:
    """Every reason, worst first, and the level of the worst."""
    found = dict.fromkeys(reason for look in _LOOKS for reason in look(facts)) or dict.fromkeys(_changed(facts))
    reasons = tuple(sorted(found, key=lambda reason: -reason.level.rank))
    return Risk(level=reasons[0].level if reasons else RiskLevel.NONE, reasons=reasons)


def _opened(facts: RiskFacts) -> Iterator[RiskReason]:
    # Whom a rule of a group that only apply tells lets in, and where, is known all the same.
    every = (*facts.exposure.opened, *(entry for entry in facts.exposure.unknown if says_whom(entry)))
    opened = [entry for entry in every if entry.reachable.rank <= Reachable.UNKNOWN.rank]
    world = [entry for entry in opened if _of_world(entry)]
    inside = [entry for entry in opened if not _of_world(entry)]
    idle = [entry for entry in every if entry not in opened and entry.reachable in _WAITING and _of_world(entry)]
    for level, entries in _by_level(world, _world_level):
        yield RiskReason(level=level, text=f"opens {_said(entries)} to or from the internet")
    for level, entries in _by_level(inside, _inside_level):
        yield RiskReason(level=level, text=f"opens {_said(entries)} inside")
    if idle:
        text = f"opens {_said(idle)} to or from the internet, of which nothing is reached yet"
        yield RiskReason(level=RiskLevel.MEDIUM, text=text)


def _unknown_openings(facts: RiskFacts) -> Iterator[RiskReason]:
    count = sum(1 for entry in facts.exposure.unknown if not says_whom(entry))
    if count:
        many = "an opening" if count == 1 else f"{count} openings"
        yield RiskReason(level=RiskLevel.HIGH, text=f"{many} of which nobody knows yet to whom, to what or how wide")


def _destroyed(facts: RiskFacts) -> Iterator[RiskReason]:
    for verb, gone in (("destroys", _deleted), ("replaces", _replaced)):
        every = [change for change in facts.plan.changes if gone(change)]
        stores = [change.address for change in every if change.type in DATA_STORES]
        others = [change.address for change in every if change.type not in DATA_STORES | RULE_TYPES]
        if stores:
            yield RiskReason(level=RiskLevel.CRITICAL, text=f"{verb} {join(stores)}, with all that is stored there")
        if others:
            yield RiskReason(level=RiskLevel.MEDIUM, text=f"{verb} {join(others)}")


def _changed(facts: RiskFacts) -> Iterator[RiskReason]:
    """Where there is nothing else to say."""
    if any(set(change.actions) - {"no-op", "read"} for change in facts.plan.changes):
        yield RiskReason(level=RiskLevel.LOW, text="changes what runs")
    elif facts.plan.outputs:
        yield RiskReason(level=RiskLevel.LOW, text="changes outputs, which other stacks may read")


def _judged(facts: RiskFacts) -> Iterator[RiskReason]:
    waived = sorted({finding.policy for finding in facts.findings if finding.verdict is Verdict.WAIVED})
    unknown = sorted({finding.policy for finding in facts.findings if finding.verdict is Verdict.UNKNOWN})
    failed = [finding for finding in facts.findings if finding.verdict is Verdict.FAILED]
    if waived:
        yield RiskReason(level=RiskLevel.MEDIUM, text=f"goes by a waiver of {join(waived)}")
    if unknown:
        yield RiskReason(level=RiskLevel.MEDIUM, text=f"could not be judged by {join(unknown)}")
    for severity in ("critical", "high", "medium", "low"):
        named = sorted({finding.policy for finding in failed if finding.severity == severity})
        if named:
            yield RiskReason(level=RiskLevel(severity), text=f"fails {join(named)}")


def _checked(facts: RiskFacts) -> Iterator[RiskReason]:
    failing = [check.address for check in facts.plan.checks if check.status in {"fail", "error"}]
    unknown = [check.address for check in facts.plan.checks if check.status == "unknown"]
    if failing:
        yield RiskReason(level=RiskLevel.HIGH, text=f"Terraform's check {join(failing)} does not hold")
    if unknown:
        yield RiskReason(level=RiskLevel.LOW, text=f"Terraform's check {join(unknown)} is known only after apply")


def _drifted(facts: RiskFacts) -> Iterator[RiskReason]:
    touched = {change.address for change in facts.plan.changes if set(change.actions) - {"no-op", "read"}}
    under = [change.address for change in facts.plan.drift if change.address in touched]
    if under:
        yield RiskReason(level=RiskLevel.MEDIUM, text=f"overwrites what was changed by hand: {join(under)}")


def _timed(facts: RiskFacts) -> Iterator[RiskReason]:
    if facts.now and facts.windows and not any(window.holds(facts.now) for window in facts.windows):
        texts = join([str(window) for window in facts.windows])
        yield RiskReason(level=RiskLevel.HIGH, text=f"is outside of the change window ({texts})")


def _unproven(facts: RiskFacts) -> Iterator[RiskReason]:
    if facts.first:
        yield RiskReason(level=RiskLevel.MEDIUM, text="is the first run on this stack that is known")
    if not facts.plan.complete:
        yield RiskReason(level=RiskLevel.HIGH, text="leaves resources of the stack out")
    if facts.dirty:
        yield RiskReason(level=RiskLevel.HIGH, text="is of files that are in no commit")
    if facts.governance and not facts.first:
        yield RiskReason(level=RiskLevel.HIGH, text="changes who or what judges it")
    if facts.code:
        yield RiskReason(level=RiskLevel.HIGH, text="runs code that is no locked provider's")


_Look = Callable[[RiskFacts], Iterator[RiskReason]]
_LOOKS: Final[tuple[_Look, ...]] = (
    _opened, _unknown_openings, _destroyed, _judged, _checked, _drifted, _timed, _unproven,
)  # fmt: skip


def _of_world(entry: ExposureEntry) -> bool:
    return str(entry.source_kind) == "internet" or entry.target_kind == "internet"


def _by_level(
    entries: Iterable[ExposureEntry], level: Callable[[ExposureEntry], RiskLevel]
) -> Iterator[tuple[RiskLevel, list[ExposureEntry]]]:
    held: dict[RiskLevel, list[ExposureEntry]] = {}
    for entry in entries:
        held.setdefault(level(entry), []).append(entry)
    yield from held.items()


def _world_level(entry: ExposureEntry) -> RiskLevel:
    if entry.target_kind == "internet":
        # Out to the world goes what was stolen, but nobody comes in.
        return RiskLevel.LOW
    low, high = _ports(entry)
    if str(entry.protocol) in _ICMP:
        return RiskLevel.LOW
    if _admin(entry) or high - low >= _FEW_PORTS:
        return RiskLevel.CRITICAL
    return RiskLevel.MEDIUM if str(entry.protocol) == "tcp" and {low, high} <= _WEB and low == high else RiskLevel.HIGH


def _inside_level(entry: ExposureEntry) -> RiskLevel:
    return RiskLevel.MEDIUM if _admin(entry) or str(entry.source_kind) == "network" else RiskLevel.LOW


def _admin(entry: ExposureEntry) -> list[int]:
    if str(entry.protocol) in _ICMP:
        return []
    low, high = _ports(entry)
    return [port for port in ADMIN_PORTS if low <= port <= high]


def _ports(entry: ExposureEntry) -> tuple[int, int]:
    """All of them where any may be meant."""
    low, high = entry.from_port, entry.to_port
    return (_port(low, 0), _port(high, 65535)) if str(entry.protocol) in {"tcp", "udp"} else (0, 65535)


def _port(port: int | Unknown | None, otherwise: int) -> int:
    return port if isinstance(port, int) and port >= 0 else otherwise


def _said(entries: list[ExposureEntry]) -> str:
    return join(list(dict.fromkeys(f"{_named(entry)} of {_side(entry)}" for entry in entries)))


def _named(entry: ExposureEntry) -> str:
    admin = _admin(entry)
    return f"{opening(entry)} ({ADMIN_PORTS[admin[0]]})" if len(admin) == 1 else opening(entry)


def _side(entry: ExposureEntry) -> str:
    outward = entry.target_kind == "internet"
    return party(entry.source, entry.source_kind) if outward else party(entry.target, entry.target_kind)


def _deleted(change: ResourceChange) -> bool:
    return change.mode == "managed" and "delete" in change.actions and "create" not in change.actions


def _replaced(change: ResourceChange) -> bool:
    return change.mode == "managed" and {"delete", "create"} <= set(change.actions)
