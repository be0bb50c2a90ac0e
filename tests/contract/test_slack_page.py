"""The lab's page in a browser: messages as in Slack, nothing in them runs, the buttons decide."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from gitlab_lab import RunningGitLab, running_gitlab
from playwright.sync_api import Page, sync_playwright
from slack_lab import RunningSlack, running_slack

from runbook_lib.adapters.slack import Slack
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.lab.slack import SlackLabConfig
from runbook_lib.models.messages import Message

# No background traffic: the tests reach loopback alone.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def gitlab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


@pytest.fixture(scope="module")
def lab(gitlab: RunningGitLab) -> Iterator[RunningSlack]:
    config = SlackLabConfig(burst=500, gitlab_url=gitlab.url, approver_token=gitlab.token("alex"))
    with running_slack(config) as running:
        yield running


@pytest.fixture
def page(lab: RunningSlack) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser.new_page()
        browser.close()


def slack(lab: RunningSlack) -> Slack:
    return Slack(lab.config.bot_token, "#infra-changes", lab.api_url)


def section(text: str) -> Message:
    return Message(text="x", blocks=({"type": "section", "text": {"type": "mrkdwn", "text": text}},))


def test_mrkdwn_is_rendered_as_slack_renders_it(lab: RunningSlack, page: Page) -> None:
    reference = slack(lab).post(
        section("*bold* _it_ ~no~ `a*b*` <https://gitlab.example.com|job> :x: 2*3*4\n&gt; quoted\n<@U0ALEX> <!here>")
    )
    page.goto(lab.url)
    message = page.locator(f"[id='p{reference.ts.replace('.', '')}']")
    message.locator("blockquote").wait_for()
    assert [message.locator(tag).inner_text() for tag in (".text strong", "em", "del", "code")] == [
        "bold",
        "it",
        "no",
        "a*b*",
    ]
    assert message.locator("a").get_attribute("href") == "https://gitlab.example.com/"[:-1]
    assert message.locator(".mention").all_inner_texts() == ["@alex", "@here"]
    assert message.get_by_label("x", exact=True).count() == 1
    assert "2*3*4" in message.inner_text()


def test_script_in_message_file_or_name_is_only_text(lab: RunningSlack, page: Page) -> None:
    client = slack(lab)
    parent = client.post(section(SCRIPT))
    client.post(Message(text=SCRIPT), parent.ts)
    client.upload(f"{SCRIPT[:40]}.txt", SCRIPT, SCRIPT, parent.ts)
    client.post(section("<javascript:alert(1)|press>"), parent.ts)
    page.goto(lab.url)
    thread = page.locator(f"[id='p{parent.ts.replace('.', '')}'] + details.thread")
    thread.locator("details.file > summary").click()
    assert SCRIPT in thread.locator("details.file pre").inner_text()
    assert page.locator("main img, main script, main a[href^='javascript']").count() == 0
    assert page.title() == "#infra-changes · Runbook lab"


def test_threads_are_folded_out_and_new_replies_appear_by_themselves(lab: RunningSlack, page: Page) -> None:
    client = slack(lab)
    parent = client.post(Message(text="parent of two"))
    client.post(Message(text="first reply"), parent.ts)
    page.goto(lab.url)
    page.get_by_text("first reply").wait_for()
    client.post(Message(text="second reply"), parent.ts)
    page.get_by_text("second reply").wait_for()


def test_approve_button_plays_the_job_as_the_approver(lab: RunningSlack, gitlab: RunningGitLab, page: Page) -> None:
    _, job = gitlab.pipeline_before_apply()
    page.goto(lab.url)
    page.locator(f"#approve-{job}").click()
    page.locator(f"#approve-{job}").wait_for(state="detached")
    played = gitlab.call("GET", f"/api/v4/projects/42/jobs/{job}", "riley").json()
    assert played["user"]["username"] == "alex"


def test_rejection_carries_the_reason_that_was_typed(lab: RunningSlack, gitlab: RunningGitLab, page: Page) -> None:
    _, job = gitlab.pipeline_before_apply()
    page.goto(lab.url)
    page.get_by_label("Reason").first.fill("Freeze until Monday")
    page.locator(f"#reject-{job}").click()
    page.locator(f"#reject-{job}").wait_for(state="detached")
    assert gitlab.control(f"jobs/{job}/start")["variables"]["RUNBOOK_REASON"] == "Freeze until Monday"


def test_page_needs_nothing_from_elsewhere(lab: RunningSlack, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(lab.url)
    page.locator("#channels li").first.wait_for()
    assert asked
    assert all(url.startswith((lab.url, "data:")) for url in asked)
