"""The state that could not be uploaded: kept whatever it holds, and put back over the one that it was made on alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyrage
import pytest
from step_fakes import answering, built_in

from runbook_lib.adapters.age import encrypt
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ConfigError, GitLabError, InputError, UsageError
from runbook_lib.settings import Settings
from runbook_lib.workspace import state_push as module
from runbook_lib.workspace.state_push import check_push, keep_errored, push_state

SECRET = "correct-horse-battery"
WHOLE = "Take the file that the apply step kept, whole, from the job's artifacts."
APPLY = built_in("apply").recorded.folder


def state(serial: int, lineage: str = "ours", instances: int = 0) -> dict[str, Any]:
    resources = [
        {"mode": "managed", "type": "aws_instance", "name": "web", "instances": [{}] * instances},
        {"mode": "data", "type": "aws_vpc", "name": "main", "instances": [{}]},
    ]
    return {"version": 4, "serial": serial, "lineage": lineage, "resources": resources}


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The state of the stack, as its backend has it; empty until a test fills it."""
    there: dict[str, Any] = {}
    monkeypatch.setattr(module, "fetch_state", answering(there))
    return there


def kept(store: RunStore, content: Any, **beside: str) -> Path:
    """errored.tfstate in the run folder, and what is noted: `over` by the apply step, `planned` by the plan."""
    places = {"over": f"{APPLY}/errored.json", "planned": "02_plan/summary.json"}
    for name, text in beside.items():
        store.write_text(places[name], text)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return store.write_bytes(f"{APPLY}/errored.tfstate", data)


def over(serial: int) -> str:
    return json.dumps({"lineage": "ours", "serial": serial})


def planned(serial: int) -> str:
    return json.dumps({"state_serial": serial})


def test_what_is_to_be_stored_is_said_beside_what_it_replaces(
    settings: Settings, store: RunStore, stored: dict[str, Any]
) -> None:
    stored.update(state(5, instances=2))
    file = kept(store, state(8, instances=3), over=over(5))
    found = check_push(settings, "access", file)
    assert (found.serial, found.resources) == (8, 3)
    assert (found.replaced_serial, found.replaced_resources) == (5, 2)
    # What is pushed is what was looked at, whatever becomes of the file meanwhile.
    file.write_text("other")
    assert json.loads(found.path.read_text()) == state(8, instances=3)


def test_the_first_state_of_a_stack_is_made_over_none(
    settings: Settings, store: RunStore, stored: dict[str, Any]
) -> None:
    found = check_push(settings, "access", kept(store, state(1)))
    assert (found.serial, found.replaced_serial, found.replaced_resources) == (1, 0, 0)


def test_the_first_state_of_a_stack_is_none_that_another_stack_s_apply_left(
    settings: Settings, store: RunStore, stored: dict[str, Any], tmp_path: Path
) -> None:
    file = kept(store, state(1), over='{"lineage": "", "serial": 0}')
    with pytest.raises(UsageError) as caught:
        check_push(settings, "network", file)
    assert (caught.value.message, caught.value.remedy) == (
        "errored.tfstate was left by an apply of access, and network has no state yet",
        "Push it to the stack that it is of: --stack access.",
    )
    # Once there is a state, its lineage tells; of a stack that has another name now nothing else does.
    stored.update(state(0))
    assert check_push(settings, "network", file).serial == 1
    stored.clear()
    renamed = store.read_json("run.json") | {"stack": "doors"}
    store.write_json("run.json", renamed)
    assert check_push(settings, "network", file).serial == 1
    for beside in ("no JSON", None):
        store.write_text("run.json", beside) if beside else store.path("run.json").unlink()
        assert check_push(settings, "network", file).serial == 1


def test_what_came_in_between_while_a_person_was_asked_is_not_overwritten(
    settings: Settings, store: RunStore, stored: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.update(state(5))
    found = check_push(settings, "access", kept(store, state(8), over=over(5)))
    stored.update(state(6))
    monkeypatch.setattr(module, "terraform_client", answering(None))
    monkeypatch.setattr(module, "ensure_initialised", lambda terraform: False)
    with pytest.raises(UsageError) as caught:
        push_state(settings, "access", found)
    assert (caught.value.message, caught.value.remedy) == (
        "the state of access has serial 6, and had 5 when it was looked at: another state came in between",
        "Nothing was pushed. Push it again, and look at what it would replace.",
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            state(6, "another"),
            (
                "errored.tfstate has the lineage another, and the state of access has ours",
                "It is another state's: name the stack that it is of with --stack.",
            ),
        ),
        *(
            (
                state(serial),
                (
                    f"errored.tfstate has serial {serial}, and the state of access has serial 5 already",
                    "Push nothing. Plan, and the plan shows what differs from what is there.",
                ),
            )
            for serial in (4, 5)
        ),
    ],
)
def test_another_state_s_and_one_that_is_not_newer_are_refused(
    settings: Settings, store: RunStore, stored: dict[str, Any], given: dict[str, Any], said: tuple[str, str]
) -> None:
    stored.update(state(5))
    with pytest.raises(UsageError) as caught:
        check_push(settings, "access", kept(store, given, over=over(5)))
    assert (caught.value.message, caught.value.remedy) == said


@pytest.mark.parametrize(
    ("beside", "made_over"),
    [
        ({"over": over(5), "planned": planned(3)}, 5),
        ({"planned": planned(5)}, 5),
        ({"over": "no JSON", "planned": planned(5)}, 5),
        # With nothing that can be read beside it, it was made on the one before it.
        ({"over": "{}", "planned": "no JSON"}, 7),
        ({"planned": '{"state_serial": null}'}, 7),
        ({}, 7),
    ],
)
def test_only_the_state_that_it_was_made_over_is_replaced(
    settings: Settings, store: RunStore, stored: dict[str, Any], beside: dict[str, str], made_over: int
) -> None:
    file = kept(store, state(8), **beside)
    stored.update(state(made_over))
    assert check_push(settings, "access", file).replaced_serial == made_over
    stored.update(state(6))
    with pytest.raises(UsageError) as caught:
        check_push(settings, "access", file)
    assert caught.value.message == (
        f"the state of access has serial 6, and errored.tfstate (serial 8) was made over serial {made_over}: "
        "another state came in between"
    )
    assert caught.value.remedy == (
        "Look at the state's versions and who made them. If all up to 6 are of the same apply: --over 6."
    )
    # Who has looked says so, and is believed of this very one.
    assert check_push(settings, "access", file, 6).replaced_serial == 6
    with pytest.raises(UsageError, match="was made over serial 4"):
        check_push(settings, "access", file, 4)


def test_a_given_zero_is_a_serial_like_any_other(settings: Settings, store: RunStore, stored: dict[str, Any]) -> None:
    assert check_push(settings, "access", kept(store, state(3)), 0).replaced_serial == 0
    stored.update(state(2))
    with pytest.raises(UsageError, match="was made over serial 0"):
        check_push(settings, "access", kept(store, state(3)), 0)


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 3}, {"resources": None}, {"serial": True}, {"serial": "7"}, {"serial": -1}, {"lineage": ""},
        {"lineage": 7}, {"resources": ["x"]}, {"resources": [None]},
        {"resources": [{"mode": "managed", "instances": None}]},
    ],
)  # fmt: skip
def test_what_is_no_whole_state_is_refused(
    settings: Settings, store: RunStore, stored: dict[str, Any], changed: dict[str, Any]
) -> None:
    with pytest.raises(InputError) as caught:
        check_push(settings, "access", kept(store, state(7) | changed))
    assert caught.value.message == (
        "errored.tfstate is no state of Terraform's: version, serial, lineage or resources are missing"
    )
    assert caught.value.remedy == WHOLE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "is no state of Terraform's: version, serial, lineage or resources are missing"),
        (b'{"version":', "is no JSON, or cut short: Expecting value at line 1, column 12"),
        (b'{"serial": 1, "serial": 2}', "is no valid JSON: the key 'serial' stands twice in one object"),
    ],
)
def test_what_is_no_object_or_cut_short_is_refused(
    settings: Settings, store: RunStore, stored: dict[str, Any], content: Any, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        check_push(settings, "access", kept(store, content))
    assert (caught.value.message, caught.value.remedy) == (f"errored.tfstate {said}", WHOLE)


def test_only_what_is_managed_and_there_is_counted(settings: Settings, store: RunStore, stored: dict[str, Any]) -> None:
    given = state(6, instances=2)
    # Each resource counts by its own instances; one of which none is left, and one without a mode, by none.
    given["resources"] += [{"mode": "managed"}, {"instances": [{}]}, {"mode": "managed", "instances": [{}]}]
    stored.update({**state(5), "resources": [{"mode": "managed"}]})
    found = check_push(settings, "access", kept(store, given))
    assert (found.resources, found.replaced_resources) == (3, 0)


def test_a_stored_state_without_a_serial_has_none_before_it(
    settings: Settings, store: RunStore, stored: dict[str, Any]
) -> None:
    stored.update({"lineage": "ours", "serial": None})
    found = check_push(settings, "access", kept(store, state(1)))
    assert (found.replaced_serial, found.replaced_resources) == (0, 0)


def test_a_stored_state_without_a_lineage_is_another_s(
    settings: Settings, store: RunStore, stored: dict[str, Any]
) -> None:
    stored.update({"serial": 5})
    with pytest.raises(UsageError) as caught:
        check_push(settings, "access", kept(store, state(6)))
    assert caught.value.remedy == "It is another state's: name the stack that it is of with --stack."


def test_a_state_of_serial_zero_is_whole(settings: Settings, store: RunStore, stored: dict[str, Any]) -> None:
    # Nothing is stored, so there is nothing that it could be older than; but none comes before it either.
    assert check_push(settings, "access", kept(store, state(0)), 0).serial == 0


def test_what_the_stored_state_calls_sensitive_is_masked_from_now_on(
    settings: Settings, store: RunStore, stored: dict[str, Any]
) -> None:
    stored.update(state(5), outputs={"password": {"value": SECRET, "type": "string", "sensitive": True}})
    check_push(settings, "access", kept(store, state(6), over=over(5)))
    assert SECRET not in settings.redactor.mask(f"It is {SECRET}.")


def test_an_encrypted_state_is_opened_with_the_key(
    settings: Settings, store: RunStore, stored: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = pyrage.x25519.Identity.generate()
    sealed = encrypt(json.dumps(state(6)).encode(), (str(identity.to_public()),))
    file = store.write_bytes(f"{APPLY}/errored.tfstate.age", sealed)
    monkeypatch.setenv("RUNBOOK_AGE_KEY", str(identity))
    found = check_push(Settings.load(settings.root), "access", file, 0)
    assert (found.serial, found.path.name) == (6, "errored.tfstate")
    assert json.loads(found.path.read_text()) == state(6)
    # What is said of it names the file that was given, and nothing of the private copy.
    monkeypatch.delenv("RUNBOOK_AGE_KEY")
    with pytest.raises(ConfigError) as caught:
        check_push(Settings.load(settings.root), "access", file, 0)
    assert caught.value.message == "errored.tfstate.age is encrypted, and there is no key here"


@pytest.mark.parametrize("content", [b"cut sho", b"[]", b"[" * 100_000, b"\xff", json.dumps(state(6)).encode()])
def test_the_only_copy_is_kept_whatever_it_holds(
    settings: Settings, store: RunStore, stored: dict[str, Any], tmp_path: Path, content: bytes
) -> None:
    stored.update(state(5))
    left = tmp_path / "errored.tfstate"
    left.write_bytes(content)
    name = keep_errored(settings, store, "access", left)
    assert name == f"{APPLY}/errored.tfstate"
    assert (store.dir / name).read_bytes() == content
    assert json.loads(store.read_text(f"{APPLY}/errored.json")) == {"lineage": "ours", "serial": 5}
    assert left.exists()


def test_that_no_state_was_there_before_is_noted_as_well(
    settings: Settings, store: RunStore, stored: dict[str, Any], tmp_path: Path
) -> None:
    left = tmp_path / "errored.tfstate"
    left.write_text(json.dumps(state(6)))
    keep_errored(settings, store, "access", left)
    assert json.loads(store.read_text(f"{APPLY}/errored.json")) == {"lineage": "", "serial": 0}


def test_what_is_no_file_beside_it_notes_nothing(settings: Settings, store: RunStore, stored: dict[str, Any]) -> None:
    file = kept(store, state(8))
    for name in (f"{APPLY}/errored.json", "02_plan/summary.json"):
        store.path(name).mkdir(parents=True)
    stored.update(state(7))
    assert check_push(settings, "access", file).replaced_serial == 7


def test_what_it_calls_sensitive_is_masked_from_now_on(
    settings: Settings, store: RunStore, stored: dict[str, Any], tmp_path: Path
) -> None:
    outputs = {"password": {"value": SECRET, "type": "string", "sensitive": True}}
    left = tmp_path / "errored.tfstate"
    left.write_text(json.dumps({**state(6), "outputs": outputs}))
    keep_errored(settings, store, "access", left)
    assert SECRET not in settings.redactor.mask(f"It is {SECRET}.")


def test_where_plans_are_encrypted_no_plain_state_is_left(
    settings: Settings, store: RunStore, stored: dict[str, Any], tmp_path: Path
) -> None:
    identity = pyrage.x25519.Identity.generate()
    terraform = settings.config.terraform.model_copy(update={"encrypt_to": (str(identity.to_public()),)})
    settings.config = settings.config.model_copy(update={"terraform": terraform})
    left = tmp_path / "errored.tfstate"
    left.write_text(json.dumps(state(6)))
    name = keep_errored(settings, store, "access", left)
    assert name == f"{APPLY}/errored.tfstate.age"
    assert json.loads(pyrage.decrypt((store.dir / name).read_bytes(), [identity])) == state(6)
    assert not left.exists()


def unread(**state: Any) -> Callable[[Settings, str], dict[str, Any]]:
    def fetch(settings: Settings, stack: str) -> dict[str, Any]:
        if not state:
            raise GitLabError("GitLab is away")
        return state

    return fetch


@pytest.mark.parametrize("fetch", [unread(), unread(serial="five"), unread(serial=None)])
def test_a_backend_that_does_not_answer_or_not_with_a_state_leaves_it_kept_without_a_note(
    settings: Settings,
    store: RunStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fetch: Callable[[Settings, str], dict[str, Any]],
) -> None:
    monkeypatch.setattr(module, "fetch_state", fetch)
    left = tmp_path / "errored.tfstate"
    left.write_text(json.dumps(state(6)))
    assert store.exists(keep_errored(settings, store, "access", left))
    assert not store.exists(f"{APPLY}/errored.json")


def test_it_is_held_to_the_state_of_its_own_stack(
    settings: Settings, store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {"access": state(5), "network": state(2, "theirs")}
    monkeypatch.setattr(module, "fetch_state", lambda settings, stack: states[stack])
    left = tmp_path / "errored.tfstate"
    left.write_text(json.dumps(state(6)))
    file = store.path(keep_errored(settings, store, "network", left))
    assert json.loads(store.read_text(f"{APPLY}/errored.json")) == {"lineage": "theirs", "serial": 2}
    assert check_push(settings, "access", file, 5).replaced_serial == 5
    with pytest.raises(UsageError, match="the state of network has theirs"):
        check_push(settings, "network", file, 5)


def test_the_copy_that_was_checked_is_what_terraform_stores(
    settings: Settings, store: RunStore, stored: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []

    class Terraform:
        def state_push(self, path: Path) -> None:
            done.append(path)

    @contextmanager
    def holder(settings: Settings, stack: str) -> Iterator[None]:
        # Who holds the lock is told only of what is done meanwhile.
        done.append(f"holder of {stack}")
        yield
        done.append("stored")

    def client(settings: Settings, stack: str) -> Terraform:
        return fake if stack == "access" else Terraform()

    fake = Terraform()
    monkeypatch.setattr(module, "terraform_client", client)
    monkeypatch.setattr(module, "ensure_initialised", done.append)
    monkeypatch.setattr(module, "holder_named", holder)
    found = check_push(settings, "access", kept(store, state(1)))
    push_state(settings, "access", found)
    assert done == [fake, "holder of access", found.path, "stored"]
