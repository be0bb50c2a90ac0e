"""The verification step: what does not agree blocks, and nothing to compare is no agreement."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from step_fakes import NOW, FakeSlack, built_in

from runbook_lib.adapters.heard import hear
from runbook_lib.adapters.store import RunStore
from runbook_lib.adapters.terraform_binary import TerraformBinary
from runbook_lib.errors import AwsError
from runbook_lib.models.base import Outcome
from runbook_lib.models.findings import WaiverReference
from runbook_lib.models.rules import Direction, Rule
from runbook_lib.models.run import Run
from runbook_lib.models.verification import Difference, DifferenceKind, Verification
from runbook_lib.settings import Settings
from runbook_lib.steps import verification
from runbook_lib.workspace.comparison import Places
from runbook_lib.workspace.context import StepContext

BINARY = TerraformBinary(("terraform",), "1.11.4", "Terraform")


def rule(port: int) -> Rule:
    return Rule(
        direction=Direction.INGRESS,
        protocol="tcp",
        from_port=port,
        to_port=port,
        source="10.0.0.0/8",
        description="d",
        group="sg-1",
        address=f"rule.p{port}",
    )


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run, slack: FakeSlack) -> StepContext:
    return StepContext(built_in("verification"), settings, store, run, NOW, clock=lambda: NOW)


def test_terraform_and_aws_are_asked_for_first(context: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeTerraform:
        binary = BINARY

    class FakeAws:
        def identity(self) -> str:
            return "role deploy"

    def client(settings: Settings, stack: str) -> FakeTerraform:
        assert (settings, stack) == (context.settings, "access")
        return FakeTerraform()

    monkeypatch.setattr(verification, "terraform_client", client)
    monkeypatch.setattr(verification, "Aws", FakeAws)
    found = [(result.name, result.found) for result in verification.check_ready(context)]
    assert found == [("run", "7 of stack access"), ("terraform", "1.11.4"), ("aws", "role deploy")]


def test_the_three_are_compared_and_what_was_found_is_kept(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gather(settings: Settings, stack: str, on_line: object, meanwhile: object) -> Places:
        assert (settings, stack, on_line, meanwhile) == (context.settings, "access", print, context.import_later)
        return Places((rule(80), rule(443)), (rule(80), rule(443)), (rule(80),))

    monkeypatch.setattr(verification, "gather_places", gather)
    found = verification.compare_all(context)
    assert (found.outcome, found.in_sync) == (Outcome.BLOCKED, 1)
    assert [difference.kind for difference in found.differences] == [DifferenceKind.MISSING]
    assert context.store.read_model("05_verification/verification.json", Verification) == found
    header, row = context.store.read_text("05_verification/verification.csv").splitlines()
    assert "kind" in header
    assert "missing" in row


def test_what_aws_answered_is_kept_also_when_it_ends_in_an_error(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FakeAws:
        def identity(self) -> str:
            hear("sts GetCallerIdentity", {"Arn": "arn:role/deploy"})
            raise AwsError("AWS said no")

    def gather(*given: object) -> Places:
        hear("ec2 DescribeSecurityGroupRules", {"SecurityGroupRules": []})
        raise AwsError("AWS said no")

    monkeypatch.setattr(verification, "terraform_client", lambda *given: SimpleNamespace(binary=BINARY))
    monkeypatch.setattr(verification, "Aws", FakeAws)
    monkeypatch.setattr(verification, "gather_places", gather)
    with pytest.raises(AwsError):
        verification.check_ready(context)
    with pytest.raises(AwsError):
        verification.compare_all(context)
    kept = {name: context.store.read_json(f"05_verification/vouched/{name}.json") for name in ("caller", "aws")}
    assert kept == {
        "caller": {"sts GetCallerIdentity": {"Arn": "arn:role/deploy"}},
        "aws": {"ec2 DescribeSecurityGroupRules": {"SecurityGroupRules": []}},
    }


BY = WaiverReference(owner="net", reason="CHG-1", expires="2026-12-31")


def difference(kind: DifferenceKind) -> Difference:
    return Difference(kind=kind, group="sg-1", rule=rule(80))


def drift(address: str, *, wanted: bool = False) -> Difference:
    return Difference(kind=DifferenceKind.DRIFTED, group="", rule=None, address=address, wanted=wanted)


@pytest.mark.parametrize(
    ("found", "outcome", "summary"),
    [
        pytest.param(
            Verification(outcome=Outcome.PASSED, in_sync=4),
            Outcome.PASSED,
            "Repository, state and AWS agree on 4 rules.",
            id="all agree",
        ),
        pytest.param(
            Verification(outcome=Outcome.PASSED, in_sync=0),
            Outcome.PASSED,
            "Nothing to compare: the stack has no security-group rules.",
            id="nothing to compare",
        ),
        pytest.param(
            Verification(outcome=Outcome.PASSED, in_sync=4, other_stacks=2),
            Outcome.PASSED,
            "Repository, state and AWS agree on 4 rules. 2 more in the same groups are other stacks'.",
            id="another stack's rules",
        ),
        pytest.param(
            Verification(
                outcome=Outcome.BLOCKED,
                in_sync=2,
                differences=(
                    difference(DifferenceKind.UNMANAGED),
                    difference(DifferenceKind.STATE_ONLY),
                    difference(DifferenceKind.UNMANAGED),
                ),
            ),
            Outcome.BLOCKED,
            "3 rules differ (state only, unmanaged), 2 agree.",
            id="some differ",
        ),
        pytest.param(
            Verification(
                outcome=Outcome.BLOCKED,
                in_sync=2,
                differences=(drift("a.b", wanted=True), *(drift(f"c.{number}") for number in range(5))),
                checks=("check.health: fail: It is down",),
            ),
            Outcome.BLOCKED,
            "Repository, state and AWS agree on 2 rules. Terraform still wants to change: a.b. Changed outside of"
            " Terraform: c.0, c.1, c.2 and 2 more. Terraform's own checks do not all hold: check.health: fail: It is"
            " down.",
            id="others drifted",
        ),
        pytest.param(
            Verification(
                outcome=Outcome.WARNED,
                in_sync=2,
                differences=(
                    Difference(kind=DifferenceKind.UNMANAGED, group="sg-1", rule=None, subject="i-1 carries the group"),
                    difference(DifferenceKind.CHANGED).model_copy(update={"accepted": BY}),
                ),
            ),
            Outcome.WARNED,
            "Repository, state and AWS agree on 2 rules. Unknown to the state: i-1 carries the group. Differences that"
            " somebody answers for: 1.",
            id="a carrier, and a difference that is accepted",
        ),
        pytest.param(
            Verification(
                outcome=Outcome.WARNED,
                in_sync=2,
                differences=(difference(DifferenceKind.CHANGED).model_copy(update={"same_access": True}),),
            ),
            Outcome.WARNED,
            "1 rule differs (changed), 2 agree. They let the same through as the repository's.",
            id="the same access",
        ),
    ],
)
def test_the_end_says_how_many_agree(context: StepContext, found: Verification, outcome: Outcome, summary: str) -> None:
    result = verification.decide(context, found).result
    assert (result.outcome, result.summary) == (outcome, summary)
    told = [each for each in found.differences if each.accepted is None]
    rules = [each for each in told if each.kind is not DifferenceKind.DRIFTED]
    drifted = len(told) - len(rules)
    assert result.metrics == {"in_sync": found.in_sync, "differences": len(rules), "drifted": drifted}
