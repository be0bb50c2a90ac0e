"""The tests that nobody writes: what a change opens must be reached after it, and what it closes must not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from runbook_lib.models.base import Unknown
from runbook_lib.models.exposure import Exposure, ExposureEntry, ExposureSource, Reachable
from runbook_lib.models.service_config import ServiceConfig
from runbook_lib.models.services import Member, ServiceTest

from .services import expand

__all__ = ["OfChange", "change_tests"]

# So many ports of a range that was closed are tried one by one.
_PORTS: Final = 16
_OF_THE_CHANGE: Final = "of.the.change"
_NETWORKS: Final = tuple(ip_network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))

Members = Callable[[str], "Sequence[Member] | str"]
Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class OfChange:
    """The tests of what a change does, and what of it can't be known from where the run stands, with the reason."""

    tests: tuple[ServiceTest, ...] = ()
    unknowable: tuple[tuple[str, str], ...] = ()


def change_tests(found: Exposure, members: Members, place: Sequence[str] = ()) -> OfChange:
    """A test for each port that opens or closes to whoever stands in `place`, which is the internet if it is empty.

    `members` gives those of a group by its id, or by the address of one that the change made, or says why there are
    none to ask. What a group is called tells nothing: whoever wrote the change has named it.
    """
    tests: list[ServiceTest] = []
    unknowable: dict[str, str] = {}
    for word, entries in (("opened", found.opened), ("closed", found.closed)):
        for entry in entries:
            made = _of_entry(word, entry, members, place)
            if isinstance(made, str):
                unknowable[_name(word, entry)] = made
            else:
                tests += made
    for entry in found.unknown:
        unknowable[_name("unknown", entry)] = entry.why or "the plan does not say all of it"
    once = {(test.name, test.address): test for test in tests}
    return OfChange(tuple(once.values()), tuple(unknowable.items()))


def _of_entry(word: str, entry: ExposureEntry, members: Members, place: Sequence[str]) -> list[ServiceTest] | str:
    if word == "opened" and entry.reachable.rank > Reachable.UNKNOWN.rank:
        return entry.why or "nothing newly comes through it"
    why_not = _not_from_here(entry, place) or _no_port(word, entry)
    if why_not:
        return why_not
    if not entry.target_id:
        return f"which group {entry.target} is, is not told"
    whom = members(entry.target_id)
    if isinstance(whom, str):
        return whom
    kept_out = {a for one in entry.interfaces for a in one.addresses if one.reachable is not Reachable.REACHABLE}
    if word == "opened":
        whom = [member for member in whom if member.address not in kept_out]
    first, last = int(str(entry.from_port)), int(str(entry.to_port))
    tests = [test for port in range(max(1, first), last + 1) for test in _tests(word, entry, port, whom)]
    return tests or "nobody in the group has an address that can be asked from here"


def _tests(word: str, entry: ExposureEntry, port: int, whom: Iterable[Member]) -> list[ServiceTest]:
    version = 6 if ":" in str(entry.source) else 4
    public = entry.source_kind == ExposureSource.INTERNET or not _private(str(entry.source))
    service = ServiceConfig(
        name=_OF_THE_CHANGE,
        kind="tcp",
        port=port,
        targets=(_OF_THE_CHANGE,),
        interface="public" if public else "private",
        family="ipv6" if version == 6 else "ipv4",
        expect="answer" if word == "opened" else "unreachable",
    )
    # Of a name that Terraform or AWS gives nobody knows how long it is.
    called = {"name": f"{word}: {entry.target} tcp {port}", "of_change": word}
    return [test.model_copy(update=called) for test in expand(service, whom)]


def _not_from_here(entry: ExposureEntry, place: Sequence[str]) -> str:
    """Why whoever stands here can't tell whether this holds, empty if he can."""
    kind = entry.source_kind
    if isinstance(kind, Unknown) or isinstance(entry.source, Unknown) or isinstance(entry.target, Unknown):
        return "the plan does not say all of it"
    if entry.target_kind == ExposureSource.INTERNET.value or entry.target_kind in {"network", "private", "prefix_list"}:
        return "whom the group's members reach can be tried from those alone"
    if kind == ExposureSource.INTERNET:
        return _not_in_the_internet(place, 6 if ":" in entry.source else 4) or _let_in(place, entry.left_open)
    if kind in {ExposureSource.GROUP, ExposureSource.PREFIX_LIST}:
        return f"only {entry.source} could try it"
    try:
        source = ip_network(entry.source)
    except ValueError:
        return f"whether {entry.source} is where this runs is not known"
    return "" if any(_inside(network, source) for network in place) else _elsewhere(place, entry.source)


def _not_in_the_internet(place: Sequence[str], version: int) -> str:
    public = [network for network in place if not _private(network)]
    if not place or any(_speaks(network, version) for network in public):
        return ""
    return _elsewhere(place, f"the internet by IPv{version}" if public else "the internet")


def _let_in(place: Sequence[str], left_open: Sequence[str]) -> str:
    """Why whoever stands here may still get in where the internet no longer does, empty if he must not."""
    for network in left_open if place else ():
        if "/" not in network:
            return f"whether this runs in {network}, which is still let in, is not known"
        if any(_inside(here, ip_network(network)) or _inside(network, ip_network(here)) for here in place):
            return f"{network} is still let in, and this runs in {', '.join(place)}"
    return ""


def _elsewhere(place: Sequence[str], source: str) -> str:
    here = ", ".join(place) if place else "somewhere in the internet"
    return f"only {source} could try it, and this runs in {here}" if place else f"only {source} could try it"


def _no_port(word: str, entry: ExposureEntry) -> str:
    if entry.protocol not in {"tcp", "6"}:
        said = "every protocol" if entry.protocol in {"all", "-1"} else str(entry.protocol)
        return f"{said} has no connection that says whether one gets there"
    if not isinstance(entry.from_port, int) or not isinstance(entry.to_port, int):
        return "all ports: which of them is served is not known"
    if entry.to_port == 0:
        return "nothing can be asked at port 0"
    count = entry.to_port - entry.from_port + 1
    if word == "opened" and count > 1:
        return f"{count} ports: which of them is served is not known"
    return f"{count} ports are too many to try" if count > _PORTS else ""


def _inside(network: str, outer: Network) -> bool:
    inner = ip_network(network)
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def _speaks(place: str, version: int) -> bool:
    try:
        return ip_network(place).version == version
    except ValueError:
        return True


def _private(text: str) -> bool:
    try:
        network = ip_network(text)
    except ValueError:
        return False
    return any(_inside(text, outer) for outer in _NETWORKS) or (
        network.version == 6 and network.subnet_of(IPv6Network("fc00::/7"))
    )


def _name(word: str, entry: ExposureEntry) -> str:
    first, last = entry.from_port, entry.to_port
    ports = "" if first is None else f" {first}" if first == last else f" {first}-{last}"
    return f"{word}: {entry.source} to {entry.target} {entry.protocol}{ports}"
