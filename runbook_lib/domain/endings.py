"""Which rules of a state end soon, have ended, or say of their end what nobody can read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from ..models.endings import Ending, EndingKind
from ..models.expiry import ends_at
from ..models.rules import Rule
from ..wording import describe_rule, until

__all__ = ["endings", "has_expired"]

_ORDER: Final = list(EndingKind)


def endings(
    stack: str, rules: Iterable[Rule], names: Mapping[str, str], when: tuple[datetime, timedelta]
) -> tuple[Ending, ...]:
    """Those of a stack's rules that matter from a moment on for so long, the worst first, then by their end.

    `names` are the groups' by their ids. A rule without an end is none of them.
    """
    found = [(_end(rule), made) for rule in rules for made in _ending(stack, rule, names, when)]
    found.sort(key=lambda each: (_ORDER.index(each[1].kind), each[0], each[1].address))
    return tuple(dict.fromkeys(made for _, made in found))


def has_expired(rules: Iterable[Rule], now: datetime) -> bool:
    """Whether the end of one of the rules has come."""
    return any(end is not None and end <= now for end in map(_moment, rules))


def _ending(stack: str, rule: Rule, names: Mapping[str, str], when: tuple[datetime, timedelta]) -> Iterator[Ending]:
    if not isinstance(rule.expires, str):
        return
    end, (now, within) = _moment(rule), when
    if end is not None and end - now > within:
        return
    kind = EndingKind.UNREADABLE if end is None else EndingKind.EXPIRED if end <= now else EndingKind.ENDS
    group = names.get(str(rule.group)) or str(rule.group)
    yield Ending(
        key=_key(stack, rule, kind),
        kind=kind,
        stack=stack,
        group=group,
        address=rule.address,
        expires=rule.expires,
        said=_said(rule, group, kind),
    )


def _said(rule: Rule, group: str, kind: EndingKind) -> str:
    what = f"{describe_rule(rule.model_copy(update={'expires': None}))} of {group}"
    if kind is EndingKind.UNREADABLE:
        return f"{what} stands {until(rule.expires)}"
    time = until(rule.expires).removeprefix("until ")
    return f"{what} expired {time}, still open" if kind is EndingKind.EXPIRED else f"{what} ends {time}"


def _key(stack: str, rule: Rule, kind: EndingKind) -> str:
    # Told again when the end is another one, and once more when it has come.
    said = f"{kind}\0{stack}\0{rule.model_dump_json(exclude={'description', 'entries'})}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _moment(rule: Rule) -> datetime | None:
    return ends_at(rule.expires) if isinstance(rule.expires, str) else None


def _end(rule: Rule) -> str:
    end = _moment(rule)
    return end.isoformat() if end else ""
