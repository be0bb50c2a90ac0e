from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.adapters.yaml_file import load_model, load_yaml
from runbook_lib.errors import ConfigError
from runbook_lib.models.config import RunbookConfig


def write(folder: Path, text: str) -> Path:
    path = folder / "runbook.yml"
    path.write_text(text)
    return path


def test_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_yaml(tmp_path / "runbook.yml")


def test_syntax_error_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"runbook\.yml, line 2"):
        load_yaml(write(tmp_path, "version: 1\nstacks: a: b\n"))


def test_duplicate_key_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="duplicate key"):
        load_yaml(write(tmp_path, "version: 1\nversion: 2\n"))


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "runbook.yml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="can't be read"):
        load_yaml(path)


def test_deep_nesting_is_an_error_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_yaml(write(tmp_path, "[" * 5_000))


def test_unknown_field_names_line_and_the_likely_spelling(tmp_path: Path) -> None:
    path = write(
        tmp_path, "version: 1\nstacks:\n  access:\n    path: terraform/access\n    sate: access\n    state: a\n"
    )
    with pytest.raises(ConfigError, match=r"line 5: stacks\.access\.sate: is not a known field") as caught:
        load_model(path, RunbookConfig)
    assert "Did you mean 'state'?" in caught.value.remedy


def test_missing_field_names_the_nearest_line(tmp_path: Path) -> None:
    path = write(tmp_path, "version: 1\nstacks:\n  access:\n    state: access\n")
    with pytest.raises(ConfigError, match=r"line 3: stacks\.access\.path: is missing"):
        load_model(path, RunbookConfig)


def test_wrong_type_names_line_and_field(tmp_path: Path) -> None:
    text = "version: 1\nstacks:\n  a: {path: p, state: s}\napproval:\n  approvers: [alex]\n  quorum: many\n"
    with pytest.raises(ConfigError, match=r"line 6: approval\.quorum"):
        load_model(write(tmp_path, text), RunbookConfig)


def test_quorum_that_nobody_can_reach_is_an_error(tmp_path: Path) -> None:
    text = "version: 1\nstacks:\n  a: {path: p, state: s}\napproval: {approvers: [alex], quorum: 2}\n"
    with pytest.raises(ConfigError, match="quorum is 2, but only 1"):
        load_model(write(tmp_path, text), RunbookConfig)


def test_document_that_is_no_mapping_is_an_error(tmp_path: Path) -> None:
    for text in ("- a\n- b\n", ""):
        with pytest.raises(ConfigError, match="`name: value` lines are expected") as caught:
            load_model(write(tmp_path, text), RunbookConfig)
        assert "stacks, default_stack" in caught.value.remedy


def test_a_misspelt_field_is_told_and_not_its_absence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 1: stakcs: is not a known field$") as caught:
        load_model(write(tmp_path, "stakcs:\n  a: {path: p, state: s}\n"), RunbookConfig)
    assert caught.value.remedy == "Did you mean 'stacks'?"


def test_all_mistakes_of_a_file_are_told_at_once_each_with_its_line_and_remedy(tmp_path: Path) -> None:
    text = (
        "stacks:\n  a: {pathh: p, state: s}\napproval:\n  approvers: [alex]\n  quorum: many\n  expires_after: soon\n"
        "compliance:\n  waiver: x\nflavour: y\n"
    )
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_model(path, RunbookConfig)
    assert caught.value.message == f"{path}, line 2: stacks.a.pathh: is not a known field (and 4 more)"
    first, *others = caught.value.remedy.split("\n  ")
    assert first == "Did you mean 'path'?"
    assert [line.partition(": ")[0] for line in others] == ["line 5", "line 6", "line 8", "line 9"]
    assert others[1] == "line 6: approval.expires_after: 'soon' is no time. Write it as 30s, 15m, 4h or 2d."
    assert others[3] == "line 9: flavour: is not a known field. Remove it."


def test_very_many_mistakes_are_counted(tmp_path: Path) -> None:
    fields = "".join(f"nothing_like_it_{number}: 1\n" for number in range(40))
    with pytest.raises(ConfigError) as caught:
        load_model(write(tmp_path, f"stacks:\n  a: {{path: p, state: s}}\n{fields}"), RunbookConfig)
    assert caught.value.message.endswith(" (and 39 more)")
    lines = caught.value.remedy.splitlines()
    assert (len(lines), lines[-1]) == (22, "  and 19 more")


def test_a_tab_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 2") as caught:
        load_yaml(write(tmp_path, "approval:\n\tquorum: 1\n"))
    assert caught.value.remedy == "Indent with spaces."


def test_a_list_of_mappings_as_a_key_is_an_error_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a key can't be read"):
        load_yaml(write(tmp_path, "? [{a: b}]\n: 1\n"))


@pytest.mark.parametrize(
    "field", ["terraform: {minimum: new}", "approval: {expires_after: 0h}", "steps: {plan: {timeout: 0s}}"]
)
def test_a_value_that_would_let_everything_pass_is_refused(tmp_path: Path, field: str) -> None:
    with pytest.raises(ConfigError, match="line 3: "):
        load_model(write(tmp_path, f"stacks:\n  a: {{path: p, state: s}}\n{field}\n"), RunbookConfig)


@pytest.mark.parametrize(
    ("written", "place", "said", "remedy"),
    [
        ("approval: {approvers: alex}", "approval.approvers", "a text, and has to be a list", "it as [one, another]."),
        ("approval: {quorum: one}", "approval.quorum", "a text, and has to be a whole number", "it in digits, without"),
        ("approval: {quorum: [1]}", "approval.quorum", "a list, and has to be a whole number", "it in digits, without"),
        ("approval: {quorum: 1.5}", "approval.quorum", "a number, and has to be a whole number", "it in digits, "),
        ("gitlab: {project: 42}", "gitlab.project", "a number, and has to be a text", "one text, in quotation marks"),
        ("approval: [alex]", "approval", "a list, and has to be names with values", "a line `name: value` for each."),
        ("approval: {job: }", "approval.job", "empty, and has to be a text", "one text, in quotation marks if"),
    ],
)
def test_a_value_of_another_kind_is_named_by_kind_and_not_shown(
    tmp_path: Path, written: str, place: str, said: str, remedy: str
) -> None:
    path = write(tmp_path, f"stacks:\n  a: {{path: p, state: s}}\n{written}\n")
    with pytest.raises(ConfigError) as caught:
        load_model(path, RunbookConfig)
    assert caught.value.message == f"{path}, line 3: {place}: is {said}"
    assert caught.value.remedy.startswith(f"Write {remedy}")


def test_a_duration_that_is_none_says_how_one_is_written(tmp_path: Path) -> None:
    body = "stacks:\n  a: {path: p, state: s}\napproval:\n  approvers: [x]\n  expires_after: -5s\n"
    with pytest.raises(ConfigError, match=r"line 5: approval\.expires_after: '-5s' is no time") as caught:
        load_model(write(tmp_path, body), RunbookConfig)
    assert caught.value.remedy == "Write it as 30s, 15m, 4h or 2d."


def test_a_file_without_a_stack_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 1: stacks: names no stack") as caught:
        load_model(write(tmp_path, "stacks: {}\n"), RunbookConfig)
    assert caught.value.remedy == "Correct the field stacks."


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("15m", 900), ("4h", 14400), ("2d", 172800)])
def test_durations_are_written_as_people_write_them(tmp_path: Path, text: str, seconds: int) -> None:
    body = f"version: 1\nstacks:\n  a: {{path: p, state: s}}\napproval: {{approvers: [x], expires_after: {text}}}\n"
    assert load_model(write(tmp_path, body), RunbookConfig).approval.expires_after.total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["? " * 5_000 + "a", "- ? " * 5_000 + "a", "".join(" " * n + "a:\n" for n in range(3_000))]
)
def test_nesting_of_every_kind_ends_soon(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        load_model(write(tmp_path, text), RunbookConfig)


def test_keys_and_entries_are_found_by_line(tmp_path: Path) -> None:
    text = "stacks:\n  - name: a\n    list: [1,\n      {b: 2}]\n  # why\n  - &x {name: b}\n  - *x\nyes: no\n"
    document = load_yaml(write(tmp_path, text))
    entry = {"name": "b"}
    assert document.data == {"stacks": [{"name": "a", "list": [1, {"b": 2}]}, entry, entry], "yes": "no"}
    assert [document.line("stacks", n) for n in (0, 1)] == [2, 6]
    assert document.line("stacks", 0, "list", 1, "b") == 4
    assert document.line("yes") == 8
    assert document.line("stacks", 0, "none") == 2


def test_a_tag_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 1: .*'!reference'"):
        load_yaml(write(tmp_path, "a: !reference [b]\n"))


def test_what_the_parser_in_c_refuses_is_left_to_the_one_in_python(tmp_path: Path) -> None:
    assert load_yaml(write(tmp_path, "a: [b: c:d, ':e']\n")).data == {"a": [{"b": "c:d"}, ":e"]}


def test_anchors_that_hold_each_other_many_times_end_soon(tmp_path: Path) -> None:
    levels = (f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    document = load_yaml(write(tmp_path, "a0: &a0 [x]\n" + "".join(levels)))
    assert document.line("a29") == 30
    assert document.line("a29", 0, 0) == 29


def test_an_anchor_that_holds_itself_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 2: an anchor holds itself"):
        load_yaml(write(tmp_path, "b: 1\na: &a [*a]\n"))


@pytest.mark.parametrize("day", ["2026-13-45", "2026-02-30", "2026-06-01T25:00:00Z"])
def test_a_day_that_no_calendar_has_is_told_with_its_line(tmp_path: Path, day: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_yaml(write(tmp_path, f"waivers:\n  - policy: a\n    since: 2026-01-01\n    expires: {day}\n"))
    assert caught.value.message.endswith(f"line 4: {day!r} is no date")
    assert caught.value.remedy == "Write it as 2026-12-31."


def test_an_anchor_that_holds_itself_is_told_beside_days_that_are_right(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="an anchor holds itself"):
        load_yaml(write(tmp_path, "since: 2026-01-01\na: &a [*a]\n"))


def test_a_default_stack_that_is_none_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 3: default_stack: 'b' is not among the stacks \['a'\]"):
        load_model(write(tmp_path, "stacks:\n  a: {path: p, state: s}\ndefault_stack: b\n"), RunbookConfig)
