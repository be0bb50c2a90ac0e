"""What of a stack's drift is new, gone, or as it was."""

from __future__ import annotations

from runbook_lib.domain.drift_news import drift_key, sort_news
from runbook_lib.models.drift import DriftEntry
from runbook_lib.models.findings import WaiverReference
from runbook_lib.models.verification import Difference, DifferenceKind


def entry(key: str) -> DriftEntry:
    return DriftEntry(key=key, text=f"text of {key}")


def test_each_difference_is_new_gone_or_as_it_was() -> None:
    a, b, c = entry("a"), entry("b"), entry("c")
    assert sort_news([a, b], [b, c, c]) == ((c,), (a,), (b,))
    assert sort_news([], []) == ((), (), ())


def test_a_difference_stays_the_same_however_it_is_judged_and_is_another_with_other_values() -> None:
    one = Difference(kind=DifferenceKind.DRIFTED, group="", rule=None, address="a.b", fields={"n": {"aws": 1}})
    by = WaiverReference(owner="o", reason="r", expires="2026-12-31")
    same = one.model_copy(update={"hint": "do", "blocks": False, "accepted": by, "name": "web", "same_access": True})
    assert drift_key(one) == drift_key(same)
    others = [
        one.model_copy(update=change)
        for change in ({"fields": {"n": {"aws": 2}}}, {"address": "a.c"}, {"kind": DifferenceKind.MISSING},
                       {"group": "sg-1"}, {"subject": "i-1"})
    ]  # fmt: skip
    assert len({drift_key(each) for each in (one, *others)}) == 6
