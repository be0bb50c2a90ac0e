"""What a Terraform plan says it will do."""

from __future__ import annotations

from typing import Any

from .base import Model

__all__ = ["Aside", "CheckStatus", "Plan", "PlanInputs", "PlanSummary", "ResourceChange"]


class ResourceChange(Model):
    """One entry of `resource_changes` in Terraform's plan JSON, as Terraform wrote it.

    `before` is None for a creation and `after` for a deletion. What is only known after apply is absent from `after`
    and true in `after_unknown`, at any depth. `deferred` is Terraform's reason to leave it for a later plan.
    """

    address: str
    type: str
    name: str
    mode: str = "managed"
    actions: tuple[str, ...]
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    after_unknown: dict[str, Any] = {}
    deposed: str = ""
    previous_address: str = ""
    importing: bool = False
    deferred: str = ""


class Aside(Model):
    """What a plan says besides its changes of resources: `address` with a `note` of what sets it off or what it is.

    `action` is `invoke` (an action will run), `remove` (the rule `name` goes, because the resource that owns its group
    doesn't list it), `drift` (changed outside) or `check` (one of Terraform's own checks doesn't hold).
    """

    action: str
    address: str
    type: str = ""
    name: str = ""
    note: str = ""


class CheckStatus(Model):
    """One `check` block, precondition or postcondition as the plan found it: `pass`, `fail`, `error` or `unknown`."""

    address: str
    status: str
    problems: tuple[str, ...] = ()


class Plan(Model):
    """A parsed plan. `prior_state` and `configuration` are Terraform's own JSON, for the readers of rules.

    `outputs` are those that change, `lessened` those of them that lose entries and nothing else.
    `drift` is what Terraform found changed outside of it, `checks` its own checks of the configuration.

    `local_values` are the references that each local value makes, by the names of the modules above it: the plan's JSON
    leaves them out, and they are read from the plan file where there is one.

    `complete` is false for a plan of some resources alone (-target, deferred changes).
    """

    terraform_version: str = ""
    complete: bool = True
    changes: tuple[ResourceChange, ...] = ()
    prior_state: dict[str, Any] = {}
    planned_values: dict[str, Any] = {}
    configuration: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    local_values: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}
    outputs: tuple[str, ...] = ()
    lessened: tuple[str, ...] = ()
    drift: tuple[ResourceChange, ...] = ()
    checks: tuple[CheckStatus, ...] = ()
    asides: tuple[Aside, ...] = ()


class PlanInputs(Model):
    """What a plan was made with and from: the model of inputs.json.

    `files` are SHA-256 by path. `platform` is as `linux_amd64`; `path` is the stack's folder below the repository, and
    `folder` where that lay on the machine. `terraform_sha256` is the program's own, empty where it is no single file;
    `providers` are the versions by name, `lock_sha256` is that of .terraform.lock.hcl.
    """

    product: str = ""
    terraform_version: str = ""
    terraform_sha256: str = ""
    platform: str = ""
    path: str = ""
    folder: str = ""
    providers: dict[str, str] = {}
    lock_sha256: str = ""
    files: dict[str, str] = {}


class PlanSummary(Model):
    """The counts that a person and GitLab's merge-request widget read. A replacement counts as create and delete.

    `invoke` are actions, `defer` resources left for a later plan, `remove` rules that a resource takes away because it
    doesn't list them, `drift` resources that were changed outside. `checks` says which of Terraform's own don't hold.
    `temporary` says, one sentence each, until when a rule stands that is added or altered, or stood that is removed.
    `fingerprint` is the digest of what the plan does: two plans that do the same have the same.
    """

    create: int = 0
    update: int = 0
    delete: int = 0
    replace: int = 0
    forget: int = 0
    import_: int = 0
    move: int = 0
    invoke: int = 0
    defer: int = 0
    remove: int = 0
    drift: int = 0
    outputs: int = 0
    addresses: dict[str, tuple[str, ...]] = {}
    checks: tuple[str, ...] = ()
    temporary: tuple[str, ...] = ()
    plan_sha256: str = ""
    fingerprint: str = ""
    state_lineage: str = ""
    state_serial: int | None = None
    terraform_version: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to apply: no resource is touched, no action runs, and no output changes."""
        return not (self.changes or self.outputs)

    @property
    def changes(self) -> int:
        """How many resources the plan touches, and actions it runs."""
        touched = self.create + self.update + self.delete + self.forget + self.import_ + self.move
        return touched + self.invoke + self.defer
