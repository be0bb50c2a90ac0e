"""One yes for several stacks: which requests wait, which do the same, whose yes counts, and what is played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from step_fakes import NOW, answering

from runbook_lib.adapters.gitlab_data import GitLabJob
from runbook_lib.errors import ApprovalError, GitLabError, UsageError
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import asked, together
from runbook_lib.workspace.together import Waiting, approve_together, may_approve, same_requests, waiting_below

ALIKE = "f" * 64


def job(number: int, name: str, status: str, pipeline: int) -> GitLabJob:
    return GitLabJob(number, name, status, "riley", pipeline, None, None, 0, "", "c0", "")


class GitLab:
    """Pipelines by number, each with its jobs, what its approval job kept, and those that it started."""

    def __init__(self, user: str = "alex", *, token: bool = True) -> None:
        self.user, self.has_token = user, token
        self.jobs: dict[int, list[GitLabJob]] = {}
        self.kept: dict[tuple[int, str], bytes] = {}
        self.children: dict[int, list[int]] = {}
        self.done: list[tuple[str, int]] = []
        self.on_play: Callable[[int], object] = lambda job: None

    def waits(
        self, pipeline: int, request: ApprovalRequest, *, approval: str = "success", apply: str = "manual"
    ) -> None:
        self.jobs[pipeline] = [
            job(pipeline * 10, "approval", approval, pipeline), job(pipeline * 10 + 1, "apply", apply, pipeline)
        ]  # fmt: skip
        given = request.model_copy(update={"run_id": str(pipeline)})
        run = Run(run_id=str(pipeline), stack=request.stack, created_at=NOW)
        folder = f"outputs/{pipeline}"
        self.kept[pipeline * 10, f"{folder}/run.json"] = run.model_dump_json().encode()
        self.kept[pipeline * 10, f"{folder}/03_approval/request.json"] = given.model_dump_json().encode()

    def current_user(self) -> str:
        return self.user

    def now(self) -> Any:
        return NOW

    def pipeline_jobs(self, pipeline: int) -> Sequence[GitLabJob]:
        return self.jobs.get(pipeline, [])

    def started_by(self, pipeline: int) -> Sequence[int]:
        return self.children.get(pipeline, [])

    def artifact(self, number: int, path: str) -> bytes | None:
        return self.kept.get((number, path))

    def play(self, number: int) -> None:
        self.done.append(("play", number))
        self.on_play(number)

    def cancel(self, number: int) -> None:
        self.done.append(("cancel", number))


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> GitLab:
    fake = GitLab()
    for module in (together, asked):
        monkeypatch.setattr(module, "gitlab_client", answering(fake))
    return fake


@pytest.fixture
def made(request_: ApprovalRequest) -> Callable[..., ApprovalRequest]:
    """A request of a stack for a plan with this fingerprint."""

    def make(stack: str = "access", fingerprint: str = ALIKE, **changed: Any) -> ApprovalRequest:
        summary = request_.summary.model_copy(update={"fingerprint": fingerprint})
        return request_.model_copy(update={"stack": stack, "summary": summary, **changed})

    return make


Made = Callable[..., ApprovalRequest]


def test_what_waits_in_pipelines_and_below_them_is_found_once(settings: Settings, gitlab: GitLab, made: Made) -> None:
    gitlab.children = {1: [11, 12], 12: [121], 121: [1211]}
    for pipeline in (11, 121, 1211):
        gitlab.waits(pipeline, made())
    found = waiting_below(settings, [1, 11])
    # A pipeline below two others is as far as GitLab goes.
    assert [one.pipeline for one in found] == [11, 121]
    assert [(one.asked.id, one.apply.id, one.request.run_id) for one in found] == [
        (110, 111, "11"),
        (1210, 1211, "121"),
    ]


@pytest.mark.parametrize("states", [{"approval": "running"}, {"approval": "failed"}, {"apply": "success"}])
def test_what_was_not_asked_or_is_answered_does_not_wait(
    settings: Settings, gitlab: GitLab, made: Made, states: dict[str, str]
) -> None:
    gitlab.waits(1, made(), **states)
    with pytest.raises(UsageError) as caught:
        waiting_below(settings, [1, 2])
    assert caught.value.message == "no request waits in pipeline 1, 2 or below it"
    assert caught.value.remedy == "Give the number of the pipeline that started the stacks' own, or theirs."


def test_a_pipeline_with_only_one_of_the_two_jobs_is_none_of_ours(
    settings: Settings, gitlab: GitLab, made: Made
) -> None:
    gitlab.waits(1, made())
    for kept in (gitlab.jobs[1][:1], gitlab.jobs[1][1:]):
        gitlab.jobs[1] = kept
        with pytest.raises(UsageError, match="no request waits"):
            waiting_below(settings, [1])


@pytest.mark.parametrize("name", ["run.json", "03_approval/request.json"])
@pytest.mark.parametrize("content", [None, b"{}"])
def test_a_request_that_can_not_be_read_is_approved_where_it_is(
    settings: Settings, gitlab: GitLab, made: Made, name: str, content: bytes | None
) -> None:
    gitlab.waits(1, made())
    gitlab.kept.pop((10, f"outputs/1/{name}"))
    if content is not None:
        gitlab.kept[10, f"outputs/1/{name}"] = content
    with pytest.raises(ApprovalError) as caught:
        waiting_below(settings, [1])
    assert caught.value.message == "what the approval job of pipeline 1 asked can't be read"
    assert caught.value.remedy == "Approve it in its own pipeline."


def test_a_run_without_an_approval_asks_nothing_that_can_be_read(
    settings: Settings, gitlab: GitLab, made: Made
) -> None:
    gitlab.waits(1, made())
    run = Run(run_id="1", stack="access", created_at=NOW)
    steps = tuple(step for step in run.steps if step.name != "approval")
    gitlab.kept[10, "outputs/1/run.json"] = run.model_copy(update={"steps": steps}).model_dump_json().encode()
    with pytest.raises(ApprovalError, match="asked can't be read"):
        waiting_below(settings, [1])


def test_a_request_for_another_run_is_not_taken_for_this_pipeline_s(
    settings: Settings, gitlab: GitLab, made: Made
) -> None:
    gitlab.waits(1, made())
    gitlab.kept[10, "outputs/1/03_approval/request.json"] = made(run_id="2").model_dump_json().encode()
    with pytest.raises(ApprovalError) as caught:
        waiting_below(settings, [1])
    assert caught.value.message == "pipeline 1 asks for run 2"
    assert caught.value.remedy == "Approve it in its own pipeline."


def waiting(pipeline: int, request: ApprovalRequest) -> Waiting:
    given = request.model_copy(update={"run_id": str(pipeline)})
    jobs = (job(pipeline * 10, "approval", "success", pipeline), job(pipeline * 10 + 1, "apply", "manual", pipeline))
    return Waiting(pipeline, *jobs, given)


def test_those_that_do_the_same_are_answered_together(made: Made) -> None:
    found = [waiting(1, made("access")), waiting(2, made("network"))]
    assert same_requests(found) == tuple(found)
    other = waiting(3, made("blog", "e" * 64))
    with pytest.raises(ApprovalError) as caught:
        same_requests([other, *found])
    assert caught.value.message == f"these do not do the same: access, network ({'f' * 12}); blog ({'e' * 12})"
    assert caught.value.remedy == "Choose by the fingerprint with --fingerprint, or approve each in its own pipeline."
    assert same_requests([other, *found], "EE") == (other,)
    assert same_requests([other, *found], "ff") == tuple(found)


def test_a_fingerprint_that_nothing_has_chooses_nothing(made: Made) -> None:
    with pytest.raises(UsageError) as caught:
        same_requests([waiting(1, made())], "e")
    assert caught.value.message == "no plan that waits has the fingerprint e"
    assert caught.value.remedy == "Start without it: they are listed."


def test_a_request_without_a_fingerprint_is_the_same_as_no_other(made: Made) -> None:
    with pytest.raises(ApprovalError, match=r"access \(no fingerprint\); network \(no fingerprint\)"):
        same_requests([waiting(1, made("access", "")), waiting(2, made("network", ""))])


def test_an_approver_of_all_may_answer_all(settings: Settings, gitlab: GitLab, made: Made) -> None:
    assert may_approve(settings, [waiting(1, made()), waiting(2, made("network"))]) == "alex"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"requester": "alex"}, ("alex asked for the change: stack network, pipeline 2", "Ask another approver.")),
        ({"authors": ("alex",)}, ("alex wrote a commit of it: stack network, pipeline 2", "Ask another approver.")),
        ({"approvers": ("sam", "kim")}, ("alex is no approver: stack network, pipeline 2", "It asks sam, kim.")),
        # At the very time of its end it is over.
        ({"expires_at": NOW}, ("the request expired: stack network, pipeline 2", "Start a new pipeline.")),
    ],
)
def test_who_may_not_answer_one_of_them_answers_none(
    settings: Settings, gitlab: GitLab, made: Made, changed: dict[str, Any], said: tuple[str, str]
) -> None:
    with pytest.raises(ApprovalError) as caught:
        may_approve(settings, [waiting(1, made()), waiting(2, made("network", **changed))])
    assert (caught.value.message, caught.value.remedy) == said


def test_a_request_s_time_is_by_gitlab_s_clock(settings: Settings, gitlab: GitLab, made: Made) -> None:
    # This machine's clock is years away from GitLab's here.
    assert may_approve(settings, [waiting(1, made(expires_at=NOW + timedelta(seconds=1)))]) == "alex"


def played(settings: Settings, found: Sequence[Waiting]) -> list[tuple[int, str]]:
    return [(one.pipeline, why) for one, why in approve_together(settings, found)]


def test_each_one_s_job_is_played(settings: Settings, gitlab: GitLab, made: Made) -> None:
    found = [waiting(1, made()), waiting(2, made("network"))]
    for one in found:
        gitlab.waits(one.pipeline, one.request)
    assert played(settings, found) == [(1, ""), (2, "")]
    assert gitlab.done == [("play", 11), ("play", 21)]


def test_one_that_asked_again_is_not_played_and_the_others_are(settings: Settings, gitlab: GitLab, made: Made) -> None:
    found = [waiting(pipeline, made()) for pipeline in (1, 2, 3)]
    for one in found:
        gitlab.waits(one.pipeline, one.request)
    gitlab.jobs[1].append(replace(gitlab.jobs[1][0], id=99))
    gitlab.jobs[2].pop(0)
    assert played(settings, found) == [
        (1, "pipeline 1 asked again in the meantime"), (2, "pipeline 2 asked again in the meantime"), (3, ""),
    ]  # fmt: skip
    assert gitlab.done == [("play", 31)]


def test_one_that_asks_again_while_it_is_played_is_cancelled(settings: Settings, gitlab: GitLab, made: Made) -> None:
    found = [waiting(1, made()), waiting(2, made())]
    for one in found:
        gitlab.waits(one.pipeline, one.request)

    def ask_again(number: int) -> None:
        if number == 11:
            gitlab.jobs[1].append(replace(gitlab.jobs[1][0], id=99))

    gitlab.on_play = ask_again
    assert played(settings, found) == [
        (1, "pipeline 1 asked again in the meantime; the job was cancelled"), (2, ""),
    ]  # fmt: skip
    assert gitlab.done == [("play", 11), ("cancel", 11), ("play", 21)]


@pytest.mark.parametrize(
    "case",
    [
        ({"pipeline_jobs"}, "GitLab is away; the job was cancelled", [("play", 11), ("cancel", 11)]),
        (
            {"pipeline_jobs", "cancel"},
            "GitLab is away; job 11 was played and could not be cancelled (GitLab is away): cancel it in GitLab",
            [("play", 11)],
        ),
    ],
)
def test_one_that_can_not_be_looked_at_after_it_was_played_is_cancelled_and_the_others_are_answered(
    settings: Settings, gitlab: GitLab, made: Made, case: tuple[set[str], str, list[tuple[str, int]]]
) -> None:
    fails, told, done = case
    found = [waiting(1, made()), waiting(2, made())]
    for one in found:
        gitlab.waits(one.pipeline, one.request)

    def away(number: int) -> Any:
        raise GitLabError("GitLab is away")

    def play(number: int) -> None:
        for name in fails if number == 11 else ():
            setattr(gitlab, name, away)

    gitlab.on_play = play
    answered = approve_together(settings, found)
    assert next(answered)[1] == told
    assert gitlab.done == done
    # What was begun goes on with the next.
    for name in fails:
        delattr(gitlab, name)
    assert [why for _, why in answered] == [""]
    assert gitlab.done == [*done, ("play", 21)]


def test_one_that_gitlab_does_not_play_is_told_and_the_others_are_played(
    settings: Settings, gitlab: GitLab, made: Made
) -> None:
    found = [waiting(1, made()), waiting(2, made())]
    for one in found:
        gitlab.waits(one.pipeline, one.request)

    def refuse(number: int) -> None:
        if number == 11:
            raise GitLabError("GitLab does not play it")

    gitlab.on_play = refuse
    assert played(settings, found) == [(1, "GitLab does not play it"), (2, "")]


@pytest.mark.parametrize("client", [None, SimpleNamespace(has_token=False), "a job"])
def test_several_are_answered_by_a_person_at_a_desk_alone(
    load: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, client: Any
) -> None:
    # A job's token is nobody's word, whatever it may do.
    settings = load(GITLAB_CI="true", project="42") if client == "a job" else load()
    found = GitLab() if client == "a job" else client
    monkeypatch.setattr(together, "gitlab_client", answering(found))
    with pytest.raises(UsageError) as caught:
        waiting_below(settings, [1])
    assert caught.value.message == "several requests are answered at a desk, in a GitLab, by a person"
    assert caught.value.remedy == "Set GITLAB_TOKEN, your own, scope api."
