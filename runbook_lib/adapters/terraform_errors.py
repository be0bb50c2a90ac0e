"""What Terraform says when it fails, as our errors: the first diagnostic, and a remedy where one is known."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import ConfigError, RunbookError, StateLockedError, TerraformError

__all__ = ["Diagnostic", "map_failure", "parse_diagnostics", "unlock_remedy"]

FRAME = re.compile(r"^[│|╷╵]\s?", re.MULTILINE)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
LOCATION = re.compile(r"^\s+on (?P<file>\S+) line (?P<line>\d+)", re.MULTILINE)
HELD_LOCK = re.compile(r"already locked: ID=(\S+)")
LOCK_FIELD = re.compile(r"^\s+(ID|Operation|Who|Created):\s+(.+)$", re.MULTILINE)
# What whoever wrote the change has to correct, and no outside system failed.
VARIABLES = r"No value for required variable|Invalid value for (?:input )?variable"
# What Terraform's http backend says when nobody told it where the state is.
NO_ADDRESS = r"address argument is required"
NOT_CONFIGURED = rf"{VARIABLES}|{NO_ADDRESS}|invalid AWS Region"
LOCKING = re.compile(r"^Error message: |\s*Terraform acquires a state lock .*")
REMEDIES = (
    (
        VARIABLES,
        "Give the variable a fitting value: in a .auto.tfvars file of the stack, or as TF_VAR_… in the environment.",
    ),
    (
        NO_ADDRESS,
        "No GitLab project keeps the state: set gitlab.project in runbook.yml.",
    ),
    (r"invalid AWS Region", "Set AWS_REGION."),
    (
        r"Cannot assume IAM Role|AssumeRoleWithWebIdentity|sts:AssumeRole",
        "Let the role's trust policy name who runs this; it is from stacks.<name>.roles or the provider's assume_role.",
    ),
    (r"UnauthorizedOperation|AccessDenied|not authorized to perform", "Give the run's AWS role this permission."),
    (
        r"No valid credential sources|ExpiredToken|InvalidClientTokenId",
        "Give valid AWS credentials in the environment.",
    ),
    (
        r"(?i)saved plan is stale",
        "The state changed since the plan was made. A new plan has to be approved: `runbook run`, or a new pipeline.",
    ),
    (
        r"(?:query available provider packages|locate the provider|registry service is unreachable)",
        "Make the registry reachable, or name a provider mirror in RUNBOOK_PROVIDER_MIRROR.",
    ),
    (
        r"Required plugins are not installed|[Ii]nitialization required|please run \"(?:terraform|tofu) init\"",
        "Run `runbook run plan`: it initialises the stack.",
    ),
    (
        r"HTTP remote state endpoint (?:requires|invalid) auth|state .*(?:401|403)|Unauthorized",
        "Check TF_HTTP_USERNAME and TF_HTTP_PASSWORD: plans need the Developer role, applies the Maintainer role.",
    ),
    (
        r"connection refused|no such host|i/o timeout|dial tcp",
        "Check that the address is right and reachable from here.",
    ),
)


@dataclass(frozen=True)
class Diagnostic:
    """One error as Terraform framed it; `line` is 0 where it names no place."""

    summary: str
    detail: str
    file: str = ""
    line: int = 0


def parse_diagnostics(text: str) -> tuple[Diagnostic, ...]:
    """The errors in Terraform's human output, its frames and colours removed."""
    plain = FRAME.sub("", ANSI.sub("", text))
    parts = re.split(r"^(?:Error|Warning): ", plain, flags=re.MULTILINE)
    kinds = re.findall(r"^(Error|Warning): ", plain, flags=re.MULTILINE)
    return tuple(_diagnostic(part) for kind, part in zip(kinds, parts[1:], strict=True) if kind == "Error")


def map_failure(command: str, status: int, text: str, stack: str = "") -> RunbookError:
    """The error to raise for a command on a stack that ended with `status`: ConfigError for what is not set."""
    plain = FRAME.sub("", ANSI.sub("", text))
    if "Error acquiring the state lock" in plain and (HELD_LOCK.search(plain) or LOCK_FIELD.search(plain)):
        return _locked(plain, stack)
    found = parse_diagnostics(text)
    if not found:
        tail = " ".join(ANSI.sub("", text).split())[-300:] or "it said nothing"
        return TerraformError(
            f"terraform {command} ended with status {status}: {tail}", "Read the step's whole output."
        )
    first = found[0]
    place = f"{first.file}, line {first.line}: " if first.file else ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    detail = f": {LOCKING.sub('', first.detail)}" if first.detail else ""
    kind = ConfigError if re.search(NOT_CONFIGURED, first.summary) else TerraformError
    return kind(f"{place}{first.summary}{detail}{more}", _remedy(f"{first.summary} {first.detail}"))


def unlock_remedy(stack: str, lock_id: str = "") -> str:
    """What to do about a lock that is held."""
    options = "".join((f" --stack {stack}" if stack else "", f" {lock_id}" if lock_id else ""))
    return f"Wait for it to end. If who holds it is dead, `runbook state unlock{options}` takes the lock away."


def _locked(plain: str, stack: str) -> StateLockedError:
    fields = {key: value.strip() for key, value in LOCK_FIELD.findall(plain)}
    held = HELD_LOCK.search(plain)
    if held and held[1] != fields.get("ID"):
        # Terraform's http backend prints the lock that it wanted: of the one that is held it knows the ID alone.
        fields = {"ID": held[1]}
    who, since = fields.get("Who", "somebody"), fields.get("Created", "an unknown time")
    operation = fields.get("Operation", "").removeprefix("OperationType") or "another command"
    lock_id = fields.get("ID", "")
    return StateLockedError(
        f"the state is locked by {who} since {since} ({operation})", unlock_remedy(stack, lock_id), lock_id
    )


def _diagnostic(block: str) -> Diagnostic:
    summary, _, rest = block.partition("\n")
    place = LOCATION.search(rest)
    lines = [line.strip() for line in rest.splitlines()]
    # The source excerpt (`12: resource …`) and the place are told apart from the explanation by their form.
    prose = [line for line in lines if line and not re.match(r"(?:on \S+ line \d+|with \S+,$|\d+: )", line)]
    detail = " ".join(prose)[:600]
    return Diagnostic(summary.strip(), detail, place["file"] if place else "", int(place["line"]) if place else 0)


def _remedy(text: str) -> str:
    return next(
        (remedy for pattern, remedy in REMEDIES if re.search(pattern, text)), "Correct it and run the step again."
    )
