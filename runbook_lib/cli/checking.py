"""What `runbook check` does, step by step."""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..adapters.policies import check_policy_ids, load_policies, load_waivers
from ..adapters.yaml_file import load_model
from ..domain.compliance import combine, findings_from_sarif, judge, locate
from ..domain.plan import parse_plan
from ..domain.rules import RuleChanges, hcl_changes, rules_from_plan
from ..errors import ConfigError, InputError, UsageError
from ..models.compliance import ComplianceReport, JudgeOptions, Policy, Scope, Waiver
from ..models.config import ComplianceConfig, RunbookConfig

__all__ = ["Places", "Request", "check", "find_places", "packaged_policies", "read_bounded", "write"]

MAX_BYTES = 150_000_000


@dataclass(frozen=True)
class Places:
    """Where policies and waivers lie, and what runbook.yml decides about them."""

    policies: Path
    waivers: Path | None
    config: ComplianceConfig
    root: Path
    stacks: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Request:
    """What is to be judged."""

    plan: Path | None = None
    hcl: Path | None = None
    scope: Scope = Scope.CHANGED
    sarif: tuple[Path, ...] = field(default=())


def find_places(policies: Path | None, waivers: Path | None) -> Places:
    """The options over runbook.yml over the pack that comes with the program."""
    root = _find_root()
    config, stacks = _read_config(root) if root else (ComplianceConfig(), ())
    folder = policies or (root / config.policies if root else packaged_policies())
    if waivers is None and root and policies is None:
        waivers = root / config.waivers
    elif waivers is None and policies:
        waivers = policies / "waivers.yml"
    elif waivers and not waivers.is_file():
        raise ConfigError(f"{waivers}: no such file of waivers", "Name another one with --waivers.")
    return Places(folder, waivers if waivers and waivers.is_file() else None, config, root or Path.cwd(), stacks)


def packaged_policies() -> Path:
    """The default pack: beside the package in a checkout, inside it once installed."""
    package = Path(__file__).resolve().parent.parent
    candidates = (package / "policies", package.parent / "policies")
    return next((path for path in candidates if path.is_dir()), candidates[0])


def check(places: Places, request: Request) -> ComplianceReport:
    """Judge the plan or the folder."""
    if request.plan is None and request.hcl is None:
        raise UsageError("there is nothing to check", "Give --plan FILE or --hcl DIR.")
    policies = load_policies(places.policies)
    today = datetime.now(UTC).date()
    waivers: tuple[Waiver, ...] = ()
    if places.waivers:
        waivers = load_waivers(places.waivers, policies, today, places.config.max_waiver_days)
    _check_overrides(places.config, policies)
    options = JudgeOptions(
        scope=request.scope,
        severities=places.config.severities,
        actions=places.config.actions,
        early=request.plan is None,
    )
    changes = _read_plan(request.plan) if request.plan else _read_folder(request.hcl)
    report = _located(judge(changes, policies, waivers, options, today), places, request)
    for path in request.sarif:
        found = findings_from_sarif(read_bounded(path), str(path), places.config.scanners)
        report = combine(report, found, waivers, today)
    return report


def read_bounded(path: Path) -> bytes:
    """A whole input file, or stdin for `-`; InputError if it is missing or too large to be judged in bounded memory."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            size = path.stat().st_size
            if size > MAX_BYTES:
                raise _too_large(path, size)
            data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", "Name a file that can be read.") from error
    if len(data) > MAX_BYTES:
        raise _too_large(path, len(data))
    return data


def write(report: ComplianceReport, form: str, output: Path | None) -> None:
    """Write the answer to stdout, or to a file whole or not at all."""
    from ..report.formats import render

    text = render(report, form)
    if output is None:
        sys.stdout.write(text)
        return
    temporary = output.with_name(f".{output.name}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(output)
    except OSError as error:
        raise UsageError(
            f"{output}: can't be written: {error.strerror}", "Name a file in a folder that exists."
        ) from error
    sys.stderr.write(f"{report.sentence}\n")


def _read_plan(path: Path) -> RuleChanges:
    gc.disable()  # a plan makes a million objects, none of them in a cycle, in a process that ends with the answer
    return rules_from_plan(parse_plan(read_bounded(path)))


def _read_folder(folder: Path | None) -> RuleChanges:
    from ..adapters.hcl import read_hcl
    from .progress import Progress

    with Progress("read") as progress:
        module = read_hcl(folder or Path(), progress=progress)
    for call in module.unread:
        sys.stderr.write(f"{call} comes from elsewhere and is not read: only a plan shows its rules.\n")
    return hcl_changes(module)


def _located(report: ComplianceReport, places: Places, request: Request) -> ComplianceReport:
    from ..adapters.hcl_blocks import index_blocks

    if report.findings:
        for folder in (request.hcl,) if request.hcl else places.stacks:
            if folder.is_dir():
                report = locate(report, index_blocks(folder, places.root))
    return report


def _find_root() -> Path | None:
    # As Settings does it, without the half second that pydantic-settings takes.
    import os

    named = os.environ.get("RUNBOOK_ROOT")
    here = Path(named).resolve() if named else Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "runbook.yml").is_file()), None)


def _read_config(root: Path) -> tuple[ComplianceConfig, tuple[Path, ...]]:
    config = load_model(root / "runbook.yml", RunbookConfig)
    return config.compliance, tuple(root / stack.path for stack in config.stacks.values())


def _check_overrides(config: ComplianceConfig, policies: tuple[Policy, ...]) -> None:
    check_policy_ids(config.severities, policies, "runbook.yml: compliance.severities")
    check_policy_ids(config.actions, policies, "runbook.yml: compliance.actions")


def _too_large(path: Path, size: int) -> InputError:
    limit = MAX_BYTES // 1_000_000
    return InputError(
        f"{path} has {size // 1_000_000} MB; at most {limit} MB are read",
        "Split the root module: no one can review that much.",
    )
