"""A few outputs, sources and parameters with planted secrets; `make fuzz` takes many more."""

from __future__ import annotations

import random

import pytest

from benchmarks.fuzz_masking import KINDS, Case
from runbook_lib.domain.redaction import FINDERS, Redactor


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_no_planted_secret_is_left_and_all_stays_valid(kind: str, seed: int) -> None:
    assert KINDS[kind](Case(random.Random(f"test/{seed}"))) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_that_misses_something_is_noticed(kind: str) -> None:
    case = Case(random.Random("test"))
    case.redactor = Redactor(finders=FINDERS[1:])
    assert KINDS[kind](case)
