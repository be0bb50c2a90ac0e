"""The three ways in which Terraform writes AWS's rules, turned into normalised ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from runbook_lib.errors import InputError
from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.expiry import EXPIRES
from runbook_lib.models.rules import UNKNOWABLE_FIELDS, Direction, Rule, SourceKind

from .addresses import ONE_OF, parse_address
from .declaration import Declaration, Reader, Surroundings
from .values import boolean, ports, protocol, text, texts

__all__ = ["GROUP_TYPES", "READERS", "TAGGED_TYPES", "is_one_made"]

GROUP_TYPES: Final = frozenset({"aws_security_group", "aws_default_security_group"})
_SEPARATE: Final = {
    "aws_vpc_security_group_ingress_rule": Direction.INGRESS,
    "aws_vpc_security_group_egress_rule": Direction.EGRESS,
}
# Of these alone each rule has tags of its own.
TAGGED_TYPES: Final = frozenset(_SEPARATE)
_DIRECTIONS: Final = {direction.value: direction for direction in Direction}
_LISTS: Final = ("aws_ec2_managed_prefix_list", "aws_prefix_list")


class _Other(NamedTuple):
    """The other end of a rule."""

    kind: SourceKind
    source: str | Unknown
    entries: tuple[str, ...] | Unknown | None = None


class _Common(NamedTuple):
    """What the rules of one block share."""

    protocol: str | Unknown
    first: int | Unknown | None
    last: int | Unknown | None
    description: str | Unknown | None
    expires: str | Unknown | None = None


def _inline_rules(declaration: Declaration, around: Surroundings) -> Iterator[Rule]:
    known = declaration.values.get("id")
    group = known if isinstance(known, str) else declaration.address
    for direction in Direction:
        blocks = declaration.values.get(direction.value)
        where = f"{declaration.address}: {direction.value}"
        if blocks is UNKNOWN:
            # Without the attribute in the configuration it is unknown only because the provider computes it.
            blocks = [UNKNOWN] if around.written(declaration, direction.value) else []
        if not isinstance(blocks, list | tuple | None):
            raise InputError(f"{where} is no list of rules", "Check where this input comes from.")
        for block in blocks or ():
            if block is UNKNOWN:
                yield _unknown_rule(declaration, direction, group)
            elif isinstance(block, Mapping):
                common = _common(block, "protocol", where)
                others = _listed_sources(block, declaration, around, direction.value)
                yield from _rules(declaration.address, direction, group, common, others)
            elif block is not None:
                raise InputError(f"{where} holds something that is no rule", "Check where this input comes from.")


def _classic_rules(declaration: Declaration, around: Surroundings) -> Iterator[Rule]:
    values, where = declaration.values, declaration.address
    kind = text(values, "type", where)
    direction = kind if isinstance(kind, Unknown) else _DIRECTIONS.get(str(kind))
    if direction is None:
        raise InputError(f"{where}: type is neither ingress nor egress: {kind!r:.60}", "Check where this comes from.")
    others = _listed_sources(values, declaration, around, "")
    yield from _rules(where, direction, _group(declaration, around), _common(values, "protocol", where), others)


def _separate_rules(declaration: Declaration, around: Surroundings) -> Iterator[Rule]:
    values, where = declaration.values, declaration.address
    others = [
        _Other(SourceKind.NETWORK, found)
        for key in ("cidr_ipv4", "cidr_ipv6")
        if (found := text(values, key, where)) is not None
    ]
    prefix_list = text(values, "prefix_list_id", where)
    if prefix_list is not None:
        others += _prefix_lists((prefix_list,), declaration, around, "prefix_list_id")
    group = text(values, "referenced_security_group_id", where)
    if group is not None:
        others += _groups((group,), declaration, around, "referenced_security_group_id")
    common = _common(values, "ip_protocol", where)._replace(expires=_expires(values))
    yield from _rules(where, _SEPARATE[declaration.type], _group(declaration, around), common, others)


def _expires(values: Mapping[str, Any]) -> str | Unknown | None:
    """What the rule's tag says; those that the provider gives to all that it makes are among `tags_all`."""
    held = [values.get(name) for name in ("tags", "tags_all")]
    named = [tags[EXPIRES] for tags in held if isinstance(tags, Mapping) and tags.get(EXPIRES) not in (None, "")]
    if named:
        return named[-1] if isinstance(named[-1], Unknown) else str(named[-1])
    return UNKNOWN if any(isinstance(tags, Unknown) for tags in held) else None


def _common(values: Mapping[str, Any], key: str, where: str) -> _Common:
    kind = protocol(values.get(key), where)
    low, high = ports(kind, values.get("from_port"), values.get("to_port"), where)
    return _Common(kind, low, high, text(values, "description", where))


def _rules(
    address: str, direction: Direction | Unknown, group: str | Unknown, common: _Common, others: list[_Other]
) -> Iterator[Rule]:
    for other in others:
        yield Rule.trusted(
            direction=direction,
            protocol=common.protocol,
            from_port=common.first,
            to_port=common.last,
            source=other.source,
            source_kind=other.kind,
            entries=other.entries,
            description=common.description,
            expires=common.expires,
            group=group,
            address=address,
        )


def _listed_sources(
    values: Mapping[str, Any], declaration: Declaration, around: Surroundings, prefix: str
) -> list[_Other]:
    where = declaration.address
    others: list[_Other] = []
    for key in ("cidr_blocks", "ipv6_cidr_blocks"):
        others += [_Other(SourceKind.NETWORK, source) for source in _listed(texts(values, key, where))]
    if lists := _listed(texts(values, "prefix_list_ids", where)):
        others += _prefix_lists(lists, declaration, around, prefix or "prefix_list_ids")
    if groups := _listed(texts(values, "security_groups", where)):
        others += _groups(groups, declaration, around, prefix or "security_groups")
    single = text(values, "source_security_group_id", where)
    if isinstance(single, str) or (single is UNKNOWN and _may_name_a_group(declaration, around)):
        others += _groups((single,), declaration, around, "source_security_group_id")
    itself = boolean(values, "self", where)
    if itself:
        others.append(_Other(SourceKind.SELF, "self" if itself is True else UNKNOWN))
    return others


def _may_name_a_group(declaration: Declaration, around: Surroundings) -> bool:
    # The provider computes source_security_group_id, so it is unknown even where a network or self is the source,
    # which exclude it.
    rivals = ("cidr_blocks", "ipv6_cidr_blocks", "self")
    excluded = any(declaration.values.get(key) not in (None, False, []) for key in rivals)
    return not excluded and around.written(declaration, "source_security_group_id")


def _listed(values: tuple[str | Unknown, ...] | Unknown) -> tuple[str | Unknown, ...]:
    return (UNKNOWN,) if isinstance(values, Unknown) else values


def _prefix_lists(
    sources: tuple[str | Unknown, ...], declaration: Declaration, around: Surroundings, attribute: str
) -> list[_Other]:
    others = []
    for source in sources:
        candidates = around.refers_to(declaration, attribute) if source is UNKNOWN else (source,)
        found = _of_type(candidates, *_LISTS)
        # One expression may speak of several lists, or of values that could be the id of one: then it may be another.
        foreign = len(found) + len(_of_type(candidates, *GROUP_TYPES, nothing=())) < len(candidates)
        if len(found) > 1 and attribute != "prefix_list_ids":
            found = (UNKNOWN,)
        elif foreign and source is UNKNOWN:
            found = tuple({*found, UNKNOWN})
        for candidate in found:
            others += [_Other(SourceKind.PREFIX_LIST, candidate, held) for held in around.entries(candidate)]
    return others


def _groups(
    sources: tuple[str | Unknown, ...], declaration: Declaration, around: Surroundings, attribute: str
) -> list[_Other]:
    others = []
    for source in sources:
        candidates = around.refers_to(declaration, attribute) if source is UNKNOWN else (source,)
        others.append(_Other(SourceKind.GROUP, _one_group(candidates)))
    return others


def _of_type(
    candidates: tuple[str | Unknown, ...], *types: str, nothing: tuple[Unknown, ...] = (UNKNOWN,)
) -> tuple[str | Unknown, ...]:
    # One expression refers to all sorts of resources: networks and groups in one block, for instance.
    kept = [c for c in candidates if isinstance(c, Unknown) or "." not in c or any(kind in c for kind in types)]
    return tuple(kept) or nothing


def _group(declaration: Declaration, around: Surroundings) -> str | Unknown:
    group = text(declaration.values, "security_group_id", declaration.address)
    if not isinstance(group, Unknown):
        return UNKNOWN if group is None else group
    return _one_group(around.refers_to(declaration, "security_group_id"))


@lru_cache(maxsize=1024)
def _one_group(named: tuple[str | Unknown, ...]) -> str | Unknown:
    """The one group or, marked as such, one of several that are all made here: none of those is a VPC's own."""
    candidates = _of_type(named, *GROUP_TYPES, "default_security_group_id")
    if len(candidates) == 1:
        return candidates[0]
    made = [c for c in candidates if isinstance(c, str) and _is_made(c)]
    if len(made) < len(candidates):
        return UNKNOWN
    many = max((c for c in made if c.startswith(ONE_OF)), key=len, default="")
    return many or f"{' or '.join(sorted({c.removesuffix('[*]') for c in made}))}[*]"


def is_one_made(named: tuple[str | Unknown, ...]) -> bool:
    """Whether these candidates are the address of one group that the stack makes."""
    return len(named) == 1 and isinstance(named[0], str) and _is_made(named[0])


def _is_made(candidate: str) -> bool:
    return candidate.startswith(ONE_OF) or parse_address(candidate).base.startswith("aws_security_group.")


def _unknown_rule(declaration: Declaration, direction: Direction, group: str) -> Rule:
    known: dict[str, Any] = {"direction": direction, "entries": None, "group": group, "address": declaration.address}
    known["expires"] = None  # a block has no tags
    unknown = dict.fromkeys(UNKNOWABLE_FIELDS, UNKNOWN) | {"source_kind": SourceKind.UNKNOWN}
    return Rule.model_construct(**(unknown | known))


READERS: Final[Mapping[str, Reader]] = {
    **dict.fromkeys(GROUP_TYPES, _inline_rules),
    "aws_security_group_rule": _classic_rules,
    **dict.fromkeys(_SEPARATE, _separate_rules),
}
