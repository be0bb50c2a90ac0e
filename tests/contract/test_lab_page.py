"""The lab's page for everybody: at any width, in the dark, by keys; and no text that it shows can run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from browser import WIDTHS, chromium, violations, wider_than_the_window
from gitlab_lab import RunningGitLab, running_gitlab
from playwright.sync_api import Browser, Page
from slack_lab import RunningSlack, running_slack

from runbook_lib.adapters.slack import Slack
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.lab.slack import SlackLabConfig
from runbook_lib.models.messages import Message

IMAGE = "<img src=data:, onerror=ran(1)>"
HOSTILE = [
    f"\"'> x onerror=ran(1) {IMAGE} </title></style></textarea>{IMAGE}<script>ran(1)</script>",
    "javascript:ran(1)",
    "<javascript:ran(1)|press> :x: *<javascript:ran(1)>*",
    "<!date^1^{date}|<img src=data:, onerror=ran(1)>> ```<script>ran(1)</script>```",
]
# The page draws by these; whatever else a view holds is shown.
KEPT = {"type", "ts", "thread_ts", "subtype", "status"}
LINKS = """[...document.querySelectorAll("*")].flatMap((one) => [...one.attributes])
    .filter((one) => /^\\s*javascript:/i.test(one.value) && ["href", "src", "action"].includes(one.name)).length"""


def text(kind: str, words: str) -> dict[str, str]:
    return {"type": kind, "text": words}


BLOCKS = (
    {"type": "header", "text": text("plain_text", ":lock: Approval asked: access")},
    {"type": "section", "text": text("mrkdwn", "*The internet* can newly reach `web` on _tcp 80_ <@U0ALEX> <!here>")},
    {"type": "section", "fields": [text("mrkdwn", f"*Field {number}*\n~old~ new") for number in range(4)]},
    {"type": "section", "text": text("mrkdwn", "&gt; quoted\n```terraform plan " + "x" * 200 + "```")},
    {"type": "divider"},
    {"type": "context", "elements": [text("mrkdwn", "Ends <!date^17^{date} {time}|then>"), text("mrkdwn", ":x: no")]},
    {
        "type": "actions",
        "elements": [
            {"type": "button", "text": text("plain_text", "Open"), "url": "https://g.example", "style": "primary"},
            {"type": "button", "text": text("plain_text", "Dead"), "style": "danger"},
        ],
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def gitlab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


@pytest.fixture(scope="module")
def lab(gitlab: RunningGitLab) -> Iterator[RunningSlack]:
    config = SlackLabConfig(burst=500, gitlab_url=gitlab.url, approver_token=gitlab.token("alex"))
    with running_slack(config) as running:
        client = Slack(config.bot_token, "#infra-changes", running.api_url)
        parent = client.post(Message(text="asked", blocks=BLOCKS))
        client.post(Message(text='a reply with aws_vpc_security_group_ingress_rule.this["' + "long" * 40), parent.ts)
        client.upload("plan.txt", "+ resource " + "y" * 300 + "\n" * 3, "The plan", parent.ts)
        gitlab.pipeline_before_apply()
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(bypass_csp=True)
    context.add_init_script("window.heard = 0; window.ran = () => { window.heard += 1; };")
    yield context.new_page()
    context.close()


def opened(page: Page, lab: RunningSlack) -> Page:
    page.goto(lab.url)
    page.locator(".job").first.wait_for()
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(lab: RunningSlack, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    opened(page, lab)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert (width, violations(page)) == (width, [])


def test_it_is_never_wider_than_its_window(lab: RunningSlack, page: Page) -> None:
    opened(page, lab)
    for width in (320, *WIDTHS):
        page.set_viewport_size({"width": width, "height": 900})
        assert (width, wider_than_the_window(page)) == (width, 0)


def test_on_a_phone_the_pipeline_is_one_touch_away(lab: RunningSlack, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    opened(page, lab).get_by_role("link", name="Pipeline").click()
    assert page.get_by_role("button", name="Approve").first.bounding_box()["y"] < 800  # type: ignore[index]


def test_who_types_a_reason_goes_on_typing_when_the_page_is_drawn_anew(
    lab: RunningSlack, gitlab: RunningGitLab, page: Page
) -> None:
    field = opened(page, lab).get_by_label("Reason").first
    field.press_sequentially("Freeze")
    drawn = page.locator(".pipeline").count()
    gitlab.pipeline()
    page.wait_for_function(f"document.querySelectorAll('.pipeline').length > {drawn}")
    page.keyboard.type(" until Monday")
    assert field.input_value() == "Freeze until Monday"


def test_a_fold_keeps_the_keyboard_when_a_message_comes(lab: RunningSlack, page: Page) -> None:
    fold = opened(page, lab).locator(".file > summary").first
    fold.focus()
    Slack(lab.config.bot_token, "#infra-changes", lab.api_url).post(Message(text="something new came"))
    page.get_by_text("something new came").wait_for()
    assert page.evaluate("document.activeElement.id").startswith("file-")


def hostile(view: Any, words: str) -> Any:
    if isinstance(view, dict):
        return {key: inner if key in KEPT else hostile(inner, words) for key, inner in view.items()}
    if isinstance(view, list):
        return [hostile(inner, words) for inner in view]
    return words if isinstance(view, str) else view


@pytest.mark.parametrize("words", HOSTILE)
def test_no_text_that_it_shows_runs_with_its_policy_off(lab: RunningSlack, page: Page, words: str) -> None:
    view = hostile(requests.get(f"{lab.url}/lab/slack/view", timeout=60).json(), words)
    view["users"] = {words: {"name": words, "real_name": words}}
    view["pipelines"][0]["status"] = words
    view["messages"].append({"type": "message", "user": words, "ts": "1.000001", "blocks": [{"type": words}]})
    page.route("**/lab/slack/view", lambda route: route.fulfill(body=json.dumps(view), content_type="application/json"))
    opened(page, lab)
    shown = len(view["messages"]) + sum(len(m.get("replies", ())) for m in view["messages"])
    page.wait_for_function("shown => document.querySelectorAll('.message').length === shown", arg=shown)
    assert page.locator("main img, main script, aside img, aside script, nav img, nav script").count() == 0
    assert page.evaluate(LINKS) == 0
    assert page.evaluate("window.heard") == 0
