"""A job's log has room for so much: however much is printed, its beginning and its end are there."""

from __future__ import annotations

import io

from runbook_lib.engine.display import LAST_LINES, LINE_CHARACTERS, LOG_BYTES, CiDisplay, Room


def shown(*lines: str, steps: int = 1, room: Room | None = None) -> str:
    out, room = io.StringIO(), room or Room()
    for number in range(steps):
        display = CiDisplay(out, room)
        display.started("plan", f"0{number}_plan")
        for line in lines:
            display.text("stdout", line)
        display.ended("PASSED: 1 to add")
    return out.getvalue()


def test_eleven_megabytes_leave_a_log_far_below_what_gitlab_cuts() -> None:
    line = "  + create aws_security_group_rule.one_of_very_many with a name of some length, and more\n"
    said = shown(*[line] * 125_000)
    assert len(line) * 125_000 > 11_000_000
    assert len(said) < 1_500_000
    assert said.count("one_of_very_many") > 10_000


def test_what_is_left_out_is_counted_and_found_again() -> None:
    lines = [f"line {number}\n" for number in range(200_000)]
    said = shown(*lines)
    assert "line 0\n" in said
    assert "line 199999\n" in said
    assert "line 150000\n" not in said
    kept = sum(f"│ line {number}\n" in said for number in range(199_900, 200_000))
    assert kept == LAST_LINES
    (told,) = [line for line in said.splitlines() if "are left out here" in line]
    assert "00_plan/notebook.ipynb" in told
    missing = int(told.split("… ")[1].split()[0].replace(",", ""))
    assert said.count("│ line ") + missing == len(lines)


def test_how_a_step_ended_is_always_said() -> None:
    assert shown(*["x\n"] * 200_000, steps=3).count("PASSED: 1 to add") == 3


def test_one_endless_line_is_cut_and_its_length_said() -> None:
    said = shown("y" * 3_000_000 + "\n")
    assert len(said) < 2 * LINE_CHARACTERS
    assert "3,000,000 characters" in said
    assert len(shown(*["z" * 60_000] * 100)) < 3 * LINE_CHARACTERS


def test_all_that_a_process_shows_shares_the_room() -> None:
    assert len(shown(*["a line of fifty characters or so, told many times\n"] * 30_000, steps=20)) < 2 * LOG_BYTES


def test_a_usual_log_is_whole() -> None:
    said = shown(*[f"line {number}\n" for number in range(2_000)])
    assert said.count("│ line ") == 2_000
    assert "left out" not in said
