"""Repository against state against AWS, rule by rule."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN, Outcome
from runbook_lib.models.expiry import EXPIRES, is_over
from runbook_lib.models.findings import WaiverReference
from runbook_lib.models.rules import COMPARED_FIELDS, Direction, Rule, SourceKind
from runbook_lib.models.verification import AcceptedDifference, Difference, DifferenceKind, Verification
from runbook_lib.wording import describe_rule

from .canonical import canonical, is_default_egress
from .matching import compared, identity, pair, pair_changed, value
from .rules import TAGGED_TYPES, is_id
from .same_access import same_access
from .waivers import fits

__all__ = ["Surveyed", "accept", "compare", "concluded", "governed_groups", "import_block", "rule_key"]

# What is there in the cloud otherwise than the repository wants it.
_DIFFERS: Final = {DifferenceKind.CHANGED, DifferenceKind.MISSING, DifferenceKind.UNMANAGED}
# Fields that say nothing of who gets in.
_BESIDE_ACCESS: Final = {"description", EXPIRES}
_REFERENCES: Final = {SourceKind.GROUP, SourceKind.PREFIX_LIST}


@dataclass(frozen=True)
class _Row:
    """One rule as each of the three places has it."""

    repository: Rule | None = None
    state: Rule | None = None
    aws: Rule | None = None

    @property
    def only_in_aws(self) -> bool:
        return self.repository is None and self.state is None

    @property
    def places(self) -> dict[str, Rule]:
        every = {"repository": self.repository, "state": self.state, "aws": self.aws}
        return {place: rule for place, rule in every.items() if rule is not None}

    def is_over(self, now: datetime | None) -> bool:
        """Whether it is in AWS though its end has come, as the first place that tells one has it."""
        told = [rule.expires for rule in self.places.values() if isinstance(rule.expires, str)]
        return bool(self.aws and told) and now is not None and is_over(told[0], now)

    @property
    def may_have_tags(self) -> bool:
        """Whether the resource that declares it could give it any; what is in AWS alone may have."""
        addresses = [rule.address for rule in (self.repository, self.state) if rule is not None and rule.address]
        return not addresses or any(f"{kind}." in addresses[0] for kind in TAGGED_TYPES)


@dataclass(frozen=True)
class Surveyed:
    """What is known of the groups that were looked at.

    `owned` are ids of those that the stack manages itself: it answers for every rule in them, also where it declares
    none. `gone` are ids of groups that AWS does not have any more. `elsewhere` are rules that other stacks keep, and
    `names` the groups' names by their ids; `ids` are the cloud's own ids of the rules that it has, by `rule_key`. `now`
    is when it was looked: without it no rule is known to have ended.
    """

    owned: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    elsewhere: tuple[Rule, ...] = ()
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ids: Mapping[Hashable, str] = dataclasses.field(default_factory=dict)
    now: datetime | None = None


def governed_groups(repository: Iterable[Rule], state: Iterable[Rule]) -> tuple[str, ...]:
    """The ids of the groups in which the stack holds rules: whatever else a cloud has in them is nobody's."""
    known = {str(rule.group) for rule in (*state, *repository) if rule.group is not UNKNOWN}
    return tuple(sorted(group for group in known if is_id(group)))


def compare(
    repository: Iterable[Rule],
    state: Iterable[Rule],
    aws: Iterable[Rule],
    groups: Iterable[str] = (),
    surveyed: Surveyed = Surveyed(),
) -> Verification:
    """Find every rule on which the three do not agree.

    `groups` are governed besides those in which repository or state hold a rule; rules of AWS elsewhere are not
    looked at. A field that the repository leaves unknown fits anything. The egress rule that AWS gives every new
    group counts only where the stack owns the group, of which Terraform takes that rule away, or says something about
    its egress. A rule that only AWS and another stack have is that stack's matter. A rule that AWS has though its end
    has come is a difference, whoever agrees on it.
    """
    in_state = _once(canonical(rule) for rule in state)
    in_aws = _once(canonical(rule) for rule in aws)
    in_repository = _resolved(_once(canonical(rule) for rule in repository), in_state, in_aws)
    governed = {rule.group for rule in (*in_state, *in_repository)} | set(groups) | surveyed.owned
    egress = set(surveyed.owned) | {
        rule.group for rule in (*in_state, *in_repository) if rule.direction is Direction.EGRESS
    }
    in_aws = [rule for rule in in_aws if rule.group in governed]
    in_aws = [rule for rule in in_aws if rule.group in egress or not is_default_egress(rule)]
    theirs = {identity(canonical(rule)) for rule in surveyed.elsewhere}
    differences = [Difference(kind=DifferenceKind.MISSING, group=group, rule=None) for group in surveyed.gone]
    in_sync = other_stacks = 0
    for row in _rows(in_repository, in_state, in_aws):
        difference = _difference(row, surveyed.now)
        if difference is None:
            in_sync += 1
        elif row.only_in_aws and row.aws is not None and identity(row.aws) in theirs:
            other_stacks += 1
        elif not (difference.kind is DifferenceKind.MISSING and difference.group in surveyed.gone):
            differences.append(difference.model_copy(update={"hint": _hint(row, surveyed)}))
    others = [canonical(rule) for rule in surveyed.elsewhere]
    ours = [rule for rule in in_aws if identity(rule) not in theirs]
    # Where another stack's rule was split, what all stacks want here and what is here let the same through.
    differences = _same_access(differences, ((in_repository, ours), ([*in_repository, *others], in_aws)))
    named = (each.model_copy(update={"name": surveyed.names.get(each.group, "")}) for each in differences)
    return concluded(Verification(outcome=Outcome.PASSED, in_sync=in_sync, other_stacks=other_stacks), named)


def concluded(found: Verification, differences: Iterable[Difference], checks: Iterable[str] = ()) -> Verification:
    """The verification with these differences and failing checks besides: blocked by what blocks, else warned."""
    every = (*found.differences, *sorted(differences, key=_order))
    failing = (*found.checks, *checks)
    if any(difference.blocks for difference in every):
        outcome = Outcome.BLOCKED
    else:
        told = failing or any(difference.accepted is None for difference in every)
        outcome = Outcome.WARNED if told else Outcome.PASSED
    return found.model_copy(update={"outcome": outcome, "differences": every, "checks": failing})


def accept(found: Verification, accepted: Iterable[AcceptedDifference], today: date) -> Verification:
    """The verification in which what somebody answers for does not block; the last day still counts."""
    in_force = [each for each in accepted if each.expires >= today]

    def marked(difference: Difference) -> Difference:
        hit = next((each for each in in_force if _answers_for(each, difference)), None)
        if hit is None:
            return difference
        by = WaiverReference(owner=hit.owner, reason=hit.reason, expires=hit.expires.isoformat())
        return difference.model_copy(update={"accepted": by, "blocks": False})

    return concluded(found.model_copy(update={"differences": ()}), map(marked, found.differences))


def rule_key(rule: Rule) -> Hashable:
    """What tells a rule from every other of its group, however it is written."""
    return identity(canonical(rule))


def _answers_for(accepted: AcceptedDifference, difference: Difference) -> bool:
    where = {difference.group, difference.name, difference.address, difference.rule.address if difference.rule else ""}
    if difference.kind is not accepted.kind or not any(fits(accepted.where, name) for name in where - {""}):
        return False
    what = describe_rule(difference.rule) if difference.rule else difference.subject
    if difference.kind is DifferenceKind.DRIFTED:
        # Each attribute that differs has to be one that is accepted.
        return bool(accepted.attributes) and set(difference.fields) <= set(accepted.attributes)
    return fits(accepted.what, what)


def _same_access(differences: list[Difference], sides_of: Sequence[tuple[list[Rule], list[Rule]]]) -> list[Difference]:
    """Mark where rules differ and yet the group lets the same through: split, merged, or made by somebody else.

    By what is wanted and what is there, in one of several ways to look at it.
    """
    sides = {(each.group, each.rule.direction) for each in differences if each.rule and each.kind in _DIFFERS}

    def of(rules: list[Rule], side: Hashable) -> list[Rule]:
        return [rule for rule in rules if (rule.group, rule.direction) == side]

    same = {side for side in sides if any(same_access(of(wanted, side), of(there, side)) for wanted, there in sides_of)}
    return [
        each.model_copy(update={"same_access": True, "blocks": False})
        if each.rule
        and each.kind in _DIFFERS
        and (each.group, each.rule.direction) in same
        and not (each.fields and set(each.fields) <= _BESIDE_ACCESS)
        else each
        for each in differences
    ]


def _hint(row: _Row, surveyed: Surveyed) -> str:
    if row.is_over(surveyed.now):
        where = "no run does, as no state knows it" if row.only_in_aws else "a run does"
        return f"Its end has come: take it away ({where}), or prolong its tag."
    # Somebody made by hand what the repository wants to make: the cloud takes no second rule of the same content.
    if row.state is not None or row.repository is None or row.aws is None:
        return ""
    said = "It is in AWS and not in the state, so that apply will fail."
    address, known = row.repository.address, surveyed.ids.get(identity(row.aws))
    if "_rule." not in address or not known:
        return f"{said} Import it, or take it away."
    return f"{said} Import it: {import_block(address, known)}"


def import_block(address: str, identity: str) -> str:
    """What imports a resource, for a .tf.json file: Terraform's other syntax takes no two arguments in one line."""
    return f"{json.dumps({'import': [{'to': address, 'id': identity}]})} in imports.tf.json"


def _once(rules: Iterable[Rule]) -> list[Rule]:
    # A group's own resource repeats, in the state, the rules that other resources gave it: the latter say more.
    found: dict[Hashable, Rule] = {}
    for rule in rules:
        key = identity(rule) if UNKNOWN not in compared(rule) else (rule.address, rule)
        if key not in found or ("_rule." in rule.address and "_rule." not in found[key].address):
            found[key] = rule
    return list(found.values())


def _resolved(repository: list[Rule], state: list[Rule], aws: list[Rule]) -> list[Rule]:
    """Put ids for the Terraform addresses of groups and lists, as far as the state tells them; else unknown."""
    elsewhere = [*state, *aws]
    ids = {str(rule.group) for rule in elsewhere}
    ids |= {str(rule.source) for rule in elsewhere if rule.source_kind in _REFERENCES}
    alias = _aliases(repository, state)

    def resolve(reference: object) -> object:
        text = str(reference)
        if reference is UNKNOWN or text in ids or is_id(text):
            return reference
        return alias.get(text, UNKNOWN)

    resolved = []
    for rule in repository:
        update = {"group": resolve(rule.group)}
        if rule.source_kind in _REFERENCES:
            update["source"] = resolve(rule.source)
        resolved.append(canonical(rule.model_copy(update=update)))
    return resolved


def _aliases(repository: Iterable[Rule], state: Iterable[Rule]) -> dict[str, str]:
    held: dict[str, list[Rule]] = {}
    for rule in state:
        held.setdefault(rule.address, []).append(rule)
    alias: dict[str, str] = {}
    for rule in repository:
        twins = held.get(rule.address, []) if rule.address else []
        if twins:
            alias.setdefault(str(rule.group), str(twins[0].group))
        # Where one resource holds several rules there is no telling which of them is the twin.
        if len(twins) == 1 and rule.source_kind is twins[0].source_kind and rule.source_kind in _REFERENCES:
            alias.setdefault(str(rule.source), str(twins[0].source))
    return alias


def _rows(repository: list[Rule], state: list[Rule], aws: list[Rule]) -> list[_Row]:
    written = pair_changed(pair(repository, state), (_address_and_source, _address_and_service, _address))
    by_state = {id(known): wanted for wanted, known in written if known is not None}
    unknown_to_state = [wanted for wanted, known in written if known is None and wanted is not None]
    found = pair(state, aws)
    strangers = [present for known, present in found if known is None and present is not None]
    by_hand = [(wanted, present) for wanted, present in pair(unknown_to_state, strangers) if wanted]
    taken = {id(present) for _, present in by_hand if present is not None}
    found = pair_changed([pair_ for pair_ in found if id(pair_[1]) not in taken], (_source, _service))
    rows = [_Row(wanted, None, present) for wanted, present in by_hand]
    return rows + [_Row(by_state.get(id(known)), known, present) for known, present in found]


def _source(rule: Rule) -> Hashable:
    return rule.group, rule.direction, rule.source_kind, rule.source


def _service(rule: Rule) -> Hashable:
    return rule.group, rule.direction, rule.protocol, rule.from_port, rule.to_port


def _address(rule: Rule) -> Hashable:
    return rule.address or None


def _address_and_source(rule: Rule) -> Hashable:
    return (rule.address, _source(rule)) if rule.address else None


def _address_and_service(rule: Rule) -> Hashable:
    return (rule.address, _service(rule)) if rule.address else None


def _difference(row: _Row, now: datetime | None) -> Difference | None:
    fields = _differing(row)
    kind = _kind(row, fields)
    if kind in {None, DifferenceKind.STATE_ONLY} and row.is_over(now):
        kind = DifferenceKind.EXPIRED
    if kind is None:
        return None
    shown = row.state or row.aws or row.repository
    return Difference(kind=kind, group=str(shown.group) if shown else "", rule=shown, fields=fields)


def _kind(row: _Row, fields: dict[str, dict[str, Any]]) -> DifferenceKind | None:
    if row.state is None:
        return DifferenceKind.REPOSITORY_ONLY if row.aws is None else DifferenceKind.UNMANAGED
    if row.repository is None:
        return DifferenceKind.STATE_ONLY
    if row.aws is None:
        return DifferenceKind.MISSING
    return DifferenceKind.CHANGED if fields else None


def _differing(row: _Row) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    places = row.places
    if len({compared(rule) for rule in places.values()}) == 1:
        return found
    for field in COMPARED_FIELDS if row.may_have_tags else [name for name in COMPARED_FIELDS if name != EXPIRES]:
        values = {place: value(rule, field) for place, rule in places.items()}
        if len({known for known in values.values() if known is not UNKNOWN}) > 1:
            found[field] = {place: str(each) if each is UNKNOWN else each for place, each in values.items()}
    return found


def _order(difference: Difference) -> tuple[str, str, str]:
    rule = difference.rule
    return difference.group, difference.kind.value, rule.model_dump_json() if rule else difference.address
