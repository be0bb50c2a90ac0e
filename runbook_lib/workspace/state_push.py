"""The state that an apply could not upload: kept with the run, and put back where nothing came in between."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..adapters.age import decrypt, encrypt
from ..adapters.private_copy import PrivateFolder
from ..adapters.store import RunStore
from ..adapters.terraform_folder import ensure_initialised
from ..domain.sensitive import state_secrets
from ..domain.strict_json import read_json
from ..errors import InputError, RunbookError, UsageError
from ..models.base import Model
from ..models.plan import PlanSummary
from ..models.run import Run
from ..settings import Settings
from .clients import terraform_client
from .records import ENCRYPTED
from .runs import RUN_FILE
from .states import fetch_state, holder_named, learn, learn_state

__all__ = ["ERRORED", "PushedState", "check_push", "keep_errored", "push_state"]

ERRORED = "errored.tfstate"
_OVER = "errored.json"


class _Over(Model):
    """What lies beside errored.tfstate: which state was stored when Terraform could not store this one."""

    lineage: str
    serial: int


@dataclass(frozen=True)
class PushedState:
    """A state that may be stored: a private copy of its file, its serial and that of the one that it replaces."""

    folder: PrivateFolder
    path: Path
    serial: int
    resources: int
    replaced_serial: int
    replaced_resources: int


def keep_errored(settings: Settings, store: RunStore, stack: str, left: Path) -> str:
    """Keep what Terraform left in the stack's folder with the apply step; its path inside the run folder.

    It is the only copy. Where runbook.yml encrypts plans it is encrypted as well, and the plain one is taken away.
    """
    data, recipients = left.read_bytes(), settings.config.terraform.encrypt_to
    with contextlib.suppress(ValueError, AttributeError, TypeError, RecursionError):
        # Whatever it holds, it is kept.
        learn(settings, state_secrets(json.loads(data)))
    name = store.file("apply", f"{ERRORED}{ENCRYPTED if recipients else ''}")
    store.write_bytes(name, encrypt(data, recipients) if recipients else data)
    if recipients:
        left.unlink()
    with contextlib.suppress(RunbookError, ValueError, TypeError):
        # Where it can't be read now, the plan's own serial is what it is held to.
        now = fetch_state(settings, stack)
        over = _Over(lineage=str(now.get("lineage", "")), serial=int(now.get("serial", 0)))
        store.write_json(store.file("apply", _OVER), over)
    return name


def check_push(settings: Settings, stack: str, file: Path, over: int | None = None) -> PushedState:
    """Hold a state file to the one that is stored; `over` is the serial that it may replace, if nobody noted it.

    InputError for a file that is no whole state, UsageError for one of another lineage or, where none is stored yet, of
    another stack's run, for one that is not newer, or where another state came in between.
    """
    folder = PrivateFolder()
    path = _plain(settings, folder.copy(file))
    given, stored = _read(path.read_bytes(), file.name), fetch_state(settings, stack)
    learn_state(settings, stored)
    serial, now = int(given["serial"]), int(stored.get("serial") or 0)
    if stored and given["lineage"] != stored.get("lineage"):
        raise UsageError(
            f"{file.name} has the lineage {given['lineage']}, and the state of {stack} has {stored.get('lineage')}",
            "It is another state's: name the stack that it is of with --stack.",
        )
    if not stored and (other := _stack_of(file)) != stack and other in settings.config.stacks:
        # The first state of a stack has no lineage yet that it could be held to.
        raise UsageError(
            f"{file.name} was left by an apply of {other}, and {stack} has no state yet",
            f"Push it to the stack that it is of: --stack {other}.",
        )
    if stored and serial <= now:
        raise UsageError(
            f"{file.name} has serial {serial}, and the state of {stack} has serial {now} already",
            "Push nothing. Plan, and the plan shows what differs from what is there.",
        )
    _nothing_between(stack, file, (serial, now), over)
    return PushedState(folder, path, serial, _count(given), now, _count(stored))


def push_state(settings: Settings, stack: str, state: PushedState) -> None:
    """Store it; Terraform holds it to lineage and serial once more, under the state's lock.

    UsageError where the state that it replaces is no longer the one that was looked at: a person may have been asked.
    """
    terraform = terraform_client(settings, stack)
    ensure_initialised(terraform)
    now = int(fetch_state(settings, stack).get("serial") or 0)
    if now != state.replaced_serial:
        raise UsageError(
            f"the state of {stack} has serial {now}, and had {state.replaced_serial} when it was looked at:"
            " another state came in between",
            "Nothing was pushed. Push it again, and look at what it would replace.",
        )
    with holder_named(settings, stack):
        terraform.state_push(state.path)


def _nothing_between(stack: str, file: Path, serials: tuple[int, int], over: int | None) -> None:
    serial, now = serials
    expected = over if over is not None else _noted(file)
    if expected is None:
        # What was made on the state that is stored is the next after it.
        expected = serial - 1
    if now != expected:
        raise UsageError(
            f"the state of {stack} has serial {now}, and {file.name} (serial {serial}) was made over serial {expected}:"
            " another state came in between",
            f"Look at the state's versions and who made them. If all up to {now} are of the same apply: --over {now}.",
        )


def _stack_of(file: Path) -> str:
    """The stack whose run folder the file lies in; empty if it lies in none."""
    with contextlib.suppress(OSError, ValueError):
        return Run.model_validate_json((file.parent.parent / RUN_FILE).read_bytes()).stack
    return ""


def _noted(file: Path) -> int | None:
    """The serial that the file may replace, by what lies beside it in its run folder; None if nothing does."""
    run = file.parent.parent
    with contextlib.suppress(OSError, ValueError):
        return _Over.model_validate_json((file.parent / _OVER).read_bytes()).serial
    for path in sorted(run.glob("*_plan/summary.json")):
        with contextlib.suppress(OSError, ValueError):
            return PlanSummary.model_validate_json(path.read_bytes()).state_serial
    return None


def _plain(settings: Settings, path: Path) -> Path:
    if path.suffix != ENCRYPTED:
        return path
    plain = path.with_suffix("")
    plain.write_bytes(decrypt(path.read_bytes(), settings.environment.age_key.get_secret_value(), path.name))
    return plain


def _read(data: bytes, name: str) -> dict[str, Any]:
    remedy = "Take the file that the apply step kept, whole, from the job's artifacts."
    try:
        found = read_json(data, name)
    except InputError as error:
        raise InputError(error.message, remedy) from error
    whole = isinstance(found, dict) and found.get("version") == 4 and _are_resources(found.get("resources"))
    serial, lineage = (found.get("serial"), found.get("lineage")) if whole else (None, None)
    if not (type(serial) is int and serial >= 0 and isinstance(lineage, str) and lineage):
        raise InputError(
            f"{name} is no state of Terraform's: version, serial, lineage or resources are missing", remedy
        )
    return dict(found)


def _are_resources(listed: object) -> bool:
    return isinstance(listed, list) and all(
        isinstance(one, dict) and isinstance(one.get("instances", []), list) for one in listed
    )


def _count(state: dict[str, Any]) -> int:
    return sum(len(one.get("instances", ())) for one in state.get("resources", ()) if one.get("mode") == "managed")
