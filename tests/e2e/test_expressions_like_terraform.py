"""Generated expressions: what is evaluated from files alone is what Terraform makes of them, or it is unknown."""

from __future__ import annotations

import pytest

from benchmarks.fuzz_hcl import ERROR, differences, generate


@pytest.mark.parametrize("seed", [11, 12])
def test_whatever_is_certain_is_as_terraform_has_it(seed: int) -> None:
    found, certain = differences(generate(700, seed))
    assert certain > 150
    assert [(each.expression, each.ours, each.theirs) for each in found] == []


def test_a_wrong_certainty_would_be_seen() -> None:
    found, certain = differences(["range(24, 20)", '!"false"', "-7 % 3", 'coalesce(null, "")', 'max("a")'])
    assert (found, certain) == ([], 3)
    assert repr(ERROR) == "an error"
