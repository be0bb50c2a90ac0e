"""Policies and waivers from their YAML files; every error names file and line."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

from ..errors import ConfigError
from ..models.compliance import NOT_JUDGED, Policy, PolicyFile, Waiver, WaiverFile
from ..models.expressions import load_cel
from ..models.policies import PolicyTest, PolicyTestFile
from .yaml_file import YamlDocument, load_yaml, validate

__all__ = ["check_policy_ids", "load_policies", "load_policy_tests", "load_waivers", "policy_files", "policy_sha256"]


def policy_files(folder: Path) -> tuple[Path, ...]:
    """The policy files of a folder, in order; waivers.yml is none of them."""
    if not folder.is_dir():
        raise ConfigError(
            f"{folder}: no such folder of policies",
            "Name it with --policies, or compliance.policies in runbook.yml.",
        )
    found = [path for path in sorted(folder.iterdir()) if path.suffix in {".yml", ".yaml"} and path.is_file()]
    files = tuple(path for path in found if path.stem != "waivers")
    if not files:
        raise ConfigError(f"{folder}: holds no policy", "Put a .yml file with policies there, or name another folder.")
    return files


def load_policies(folder: Path) -> tuple[Policy, ...]:
    """Every policy of a folder; ids are unique in it."""
    places: dict[str, str] = {}
    policies: list[Policy] = []
    for path in policy_files(folder):
        document = load_yaml(path)
        loaded = validate(document, _whole(document, "policies"), PolicyFile)
        for index, policy in enumerate(loaded.policies):
            line = document.line("policies", index, "id")
            if policy.id in places:
                raise ConfigError(
                    f"{path}, line {line}: the policy {policy.id} stands in {places[policy.id]} already",
                    "Give each policy an id of its own.",
                )
            places[policy.id] = f"{path}, line {line}"
            _check_expression(policy, document, index)
            policies.append(policy)
    return tuple(policies)


def load_waivers(path: Path, policies: Sequence[Policy], today: date, max_days: int) -> tuple[Waiver, ...]:
    """Every waiver of a file; each must name a policy that exists, and end within `max_days` from `today`.

    A policy of another tool is written `tool:rule` and is not looked up.
    """
    document = load_yaml(path)
    loaded = validate(document, _whole(document, "waivers"), WaiverFile)
    known = [*(policy.id for policy in policies), *NOT_JUDGED]
    for index, waiver in enumerate(loaded.waivers):
        if ":" not in waiver.policy and waiver.policy not in known:
            line = document.line("waivers", index, "policy")
            raise ConfigError(
                f"{path}, line {line}: there is no policy {waiver.policy!r}", _suggest(waiver.policy, known)
            )
        for name in ("owner", "reason"):
            if not getattr(waiver, name).strip():
                line = document.line("waivers", index, name)
                raise ConfigError(f"{path}, line {line}: the waiver's {name} is blank", f"Write the {name}.")
        if (waiver.expires - today).days > max_days:
            line = document.line("waivers", index, "expires")
            raise ConfigError(
                f"{path}, line {line}: the waiver ends on {waiver.expires}, more than {max_days} days from now",
                "Choose an earlier day; the limit is compliance.max_waiver_days in runbook.yml.",
            )
    return loaded.waivers


def load_policy_tests(folder: Path) -> Iterator[tuple[Path, tuple[PolicyTest, ...]]]:
    """The tests of each file in a folder; none if there is no such folder."""
    for path in sorted(folder.glob("*.yml")) if folder.is_dir() else ():
        document = load_yaml(path)
        yield path, validate(document, _whole(document, "tests"), PolicyTestFile).tests


def check_policy_ids(names: Iterable[str], policies: Sequence[Policy], where: str) -> None:
    """ConfigError if one of the names, that `where` speaks of, is no policy."""
    known = [policy.id for policy in policies]
    for name in names:
        if name not in known:
            raise ConfigError(f"{where}: there is no policy {name!r}", _suggest(name, known))


def policy_sha256(folder: Path, waivers: Path) -> str:
    """One digest of all that was judged by: every policy file and the waivers, names and bytes."""
    digest = hashlib.sha256()
    for path in (*policy_files(folder), *([waivers] if waivers.is_file() else [])):
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _whole(document: YamlDocument, key: str) -> object:
    data = document.data
    if data is None or (isinstance(data, dict) and data.get(key, 0) is None):
        return {key: []}
    if not isinstance(data, dict):
        raise ConfigError(f"{document.path}, line 1: a mapping with the key {key} is expected", f"Begin with `{key}:`.")
    return data


def _check_expression(policy: Policy, document: YamlDocument, index: int) -> None:
    if policy.resource is None:
        return
    try:
        load_cel().compile(policy.resource.when)
    except Exception as error:
        line = document.line("policies", index, "resource", "when")
        reason = (str(error).strip().splitlines() or ["it can't be parsed"])[0]
        raise ConfigError(f"{document.path}, line {line}: when: {reason}", "Write a CEL expression.") from error


def _suggest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"The policies are {', '.join(known)}."
