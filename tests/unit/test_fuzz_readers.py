"""A few broken inputs for each reader; `make fuzz` takes many more."""

from __future__ import annotations

import random

import pytest

from benchmarks.fuzz import attack, readers


@pytest.mark.parametrize("name", readers())
def test_broken_input_is_answered_or_refused_in_one_clear_line(name: str) -> None:
    endings = attack(name, 60, random.Random(7))
    assert endings["read"] + endings["refused"] == 60
