"""Who may approve what: the part of runbook.yml that decides about decisions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Model
from .config_values import Duration, wrong
from .risk import RiskLevel
from .windows import ChangeWindow

__all__ = ["ApprovalCondition", "ApprovalConfig", "ApprovalRule", "SlackApprovals"]

Group = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class ApprovalCondition(Model):
    """What a change must come to for a rule to hold: all that is given.

    `risk` is that level or a worse one; `opens` is new access, `internet` to or from everybody, where what nobody knows
    yet is taken for it; with `reachable` what is reached, or may be, counts alone. `only_closes` is a plan that deletes
    rules of security groups and does nothing else, `only_expired` one that deletes none but those whose end, by their
    tag `expires`, has come.
    """

    risk: RiskLevel | None = None
    opens: Literal["anything", "internet"] | None = None
    reachable: Literal[True] | None = None
    only_closes: Literal[True] | None = None
    only_expired: Literal[True] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ApprovalCondition:
        if not (self.risk or self.opens or self.reachable or self.closes):
            raise ValueError("a rule without a condition would hold of every change: use quorum")
        if self.opens and self.closes:
            raise ValueError("what opens something does not only close")
        if self.reachable and not self.opens:
            raise ValueError("reachable is said of what opens: add `opens: internet`, or `opens: anything`")
        return self

    @property
    def closes(self) -> bool:
        """Whether it holds of nothing but what takes access away."""
        return bool(self.only_closes or self.only_expired)

    def __str__(self) -> str:
        """`risk high or worse and opens internet`."""
        said = [f"risk {self.risk}" + ("" if self.risk is RiskLevel.CRITICAL else " or worse")] if self.risk else []
        said += [f"opens {self.opens}" + (", and is reached or may be" if self.reachable else "")] if self.opens else []
        said += ["only closes"] if self.only_closes else []
        said += ["only removes what has expired"] if self.only_expired else []
        return " and ".join(said)


class ApprovalRule(Model):
    """How many must approve a change of this kind, of all approvers or of one group; on all stacks, or those named.

    All rules that hold of a change count, beside the quorum. One that `needs` none takes the quorum away, where no
    other rule asks for anybody.
    """

    when: ApprovalCondition
    needs: int = Field(ge=0, le=20)
    group: str = ""
    stacks: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _nobody_is_asked_only_of_what_closes(self) -> ApprovalRule:
        if not self.needs and not self.when.closes:
            message = "only what only closes may need nobody: add `only_closes: true`, or `only_expired: true`"
            raise wrong(message, "needs")
        if not self.needs and self.group:
            raise wrong("no group is needed where nobody is", "group")
        return self


class SlackApprovals(Model):
    """Who may answer by Slack's buttons: GitLab logins by Slack's ids, and the public key of who signs their answers.

    The key is its PEM text itself: a file could be another one in the change that it judges.
    """

    users: dict[Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,20}$")], str] = Field(min_length=1)
    key: str = Field(pattern=r"^\s*-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*$")


class ApprovalConfig(Model):
    """Who may approve, how many of them, for how long, and the pipeline's jobs that stand for a yes and a no.

    `terminal` is whether `runbook approve` counts: not said it does where no GitLab project is configured.
    `change_windows` are the times in which a change is no more risky for its time. `groups` are approvers by name, of
    whom `rules` and policies may ask for some; `break_glass` names who may approve alone in an emergency. With
    `slack` the request has buttons, whose answers `runbook listen` takes.
    """

    approvers: tuple[str, ...] = ()
    quorum: int = Field(default=1, ge=1)
    expires_after: Duration = timedelta(hours=4)
    job: str = "apply"
    reject_job: str = "reject"
    terminal: bool | None = None
    change_windows: tuple[ChangeWindow, ...] = ()
    groups: dict[Group, Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    rules: tuple[ApprovalRule, ...] = ()
    break_glass: tuple[str, ...] = ()
    slack: SlackApprovals | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> ApprovalConfig:
        if self.approvers and self.quorum > len(set(self.approvers)):
            raise wrong(f"quorum is {self.quorum}, but only {len(set(self.approvers))} approvers are named", "quorum")
        for index, rule in enumerate(self.rules):
            self._check(rule, index)
        return self

    def _check(self, rule: ApprovalRule, index: int) -> None:
        if rule.group and rule.group not in self.groups:
            known = ", ".join(sorted(self.groups)) or "none"
            raise wrong(f"{rule.group!r} is none of approval.groups ({known})", "rules", index, "group")
        of = self.groups[rule.group] if rule.group else self.approvers
        if of and rule.needs > len(set(of)):
            raise wrong(f"needs {rule.needs}, but only {len(set(of))} are named", "rules", index, "needs")

    def rules_of(self, stack: str) -> tuple[ApprovalRule, ...]:
        """The rules that hold for changes of a stack."""
        return tuple(rule for rule in self.rules if not rule.stacks or stack in rule.stacks)

    def members(self, group: str) -> tuple[str, ...]:
        """Who is in a group; all approvers for the group without a name."""
        return self.groups.get(group, ()) if group else self.approvers

    def everybody(self, groups: Iterable[str]) -> tuple[str, ...]:
        """The approvers and the members of these groups, each once."""
        return tuple(dict.fromkeys((*self.approvers, *(name for group in groups for name in self.members(group)))))
