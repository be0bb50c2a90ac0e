"""Which stacks a change touches, and which of them waits for which."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.domain.stack_order import StackReads, carry_out_order, touched_stacks
from runbook_lib.errors import ConfigError
from runbook_lib.models.stacks import TouchedStack


def reads(*paths: str, after: tuple[str, ...] = (), apart: tuple[str, ...] = ()) -> StackReads:
    return StackReads(frozenset(map(PurePosixPath, paths)), frozenset(after), frozenset(map(PurePosixPath, apart)))


def touched(stacks: dict[str, StackReads], *files: str) -> dict[str, str]:
    return touched_stacks(stacks, map(PurePosixPath, files), {})


STACKS = {
    "network": reads("live/network", "modules/vpc"),
    "web": reads("live/web", "modules/vm", "shared/tags.tfvars", after=("network",)),
    "db": reads("live/db", "modules/vm", after=("network",)),
    "alone": reads("live/alone"),
}


def test_a_stack_is_touched_by_its_own_files_and_those_of_its_modules_and_by_its_data() -> None:
    assert touched(STACKS, "live/alone/main.tf") == {"alone": "live/alone/main.tf"}
    assert touched(STACKS, "modules/vm/new.tf", "modules/vm/old.tf") == {
        "db": "modules/vm/new.tf and 1 more",
        "web": "modules/vm/new.tf and 1 more",
    }
    assert touched(STACKS, "shared/tags.tfvars") == {"web": "shared/tags.tfvars"}
    assert touched(STACKS, "README.md", "live/alonetoo/main.tf") == {}


def test_a_link_or_a_submodule_above_what_is_read_touches_it() -> None:
    assert touched(STACKS, "modules") == dict.fromkeys(("db", "network", "web"), "modules")
    assert touched({"a": reads("live/a"), "b": reads("live/b", apart=("live",))}, "live") == {"a": "live", "b": "live"}
    assert touched(STACKS, "live/alon") == {}


def test_whoever_reads_the_state_of_a_touched_stack_is_touched_however_far_away() -> None:
    stacks = STACKS | {"page": reads("live/page", after=("web",))}
    found = touched(stacks, "modules/vpc/main.tf")
    assert found["network"] == "modules/vpc/main.tf"
    assert {name: why for name, why in found.items() if name != "network"} == {
        "db": "reads the state of network",
        "web": "reads the state of network",
        "page": "reads the state of web",
    }


def test_what_lies_in_another_stacks_folder_is_that_ones_unless_it_is_named() -> None:
    above = reads("live", apart=("live/prod",))
    below = reads("live/prod", apart=("live",))
    stacks = {"above": above, "below": below}
    assert set(touched(stacks, "live/prod/main.tf")) == {"below"}
    assert set(touched(stacks, "live/main.tf")) == {"above"}
    stacks["above"] = reads("live", "live/prod/names.json", apart=("live/prod",))
    assert set(touched(stacks, "live/prod/names.json")) == {"above", "below"}


def test_a_stack_at_the_top_is_made_of_all_that_is_no_other_stacks() -> None:
    stacks = {"top": reads(".", apart=("web",)), "web": reads("web", apart=(".",))}
    assert set(touched(stacks, "main.tf")) == {"top"}
    assert set(touched(stacks, "web/main.tf")) == {"web"}


def test_those_that_wait_for_nothing_share_a_round() -> None:
    found = carry_out_order(STACKS, dict.fromkeys(STACKS, "asked for"))
    assert [(stack.name, stack.after, stack.round) for stack in found] == [
        ("alone", (), 1),
        ("network", (), 1),
        ("db", ("network",), 2),
        ("web", ("network",), 2),
    ]


def test_nobody_waits_for_a_stack_that_is_not_touched() -> None:
    assert carry_out_order(STACKS, {"web": "x"}) == (TouchedStack("web", "x"),)


def test_a_stack_names_no_more_others_than_it_must() -> None:
    stacks = {"a": reads("a"), "b": reads("b", after=("a",)), "c": reads("c", after=("a", "b"))}
    assert [stack.after for stack in carry_out_order(stacks, dict.fromkeys(stacks, ""))] == [(), ("a",), ("b",)]


def test_a_circle_is_told_with_its_names_and_the_way_out() -> None:
    stacks = {"a": reads("a", after=("c",)), "b": reads("b", after=("a",)), "c": reads("c", after=("b",))}
    with pytest.raises(ConfigError) as caught:
        carry_out_order(stacks, {"a": "x"})
    assert all(name in caught.value.message for name in "abc")
    assert "stacks.<name>.after" in caught.value.remedy


@given(st.lists(st.sets(st.integers(0, 12), max_size=4), min_size=1, max_size=13))
def test_everybody_comes_after_all_whose_state_they_read(behind: list[set[int]]) -> None:
    stacks = {
        str(number): reads(str(number), after=tuple(str(one) for one in before if one < number))
        for number, before in enumerate(behind)
    }
    found = carry_out_order(stacks, dict.fromkeys(stacks, ""))
    by_name = {stack.name: stack for stack in found}

    def waits_for(name: str) -> set[str]:
        return set(by_name[name].after).union(*(waits_for(one) for one in by_name[name].after))

    for name, stack in stacks.items():
        assert stack.after <= waits_for(name)
        assert all(by_name[one].round < by_name[name].round for one in stack.after)
