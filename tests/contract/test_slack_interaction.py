"""Clicks reach an app by Socket Mode or as signed requests; the page's buttons reach GitLab as the approver."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from gitlab_lab import RunningGitLab, running_gitlab
from pytest_httpserver import HTTPServer
from slack_lab import RunningSlack, running_slack
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from werkzeug import Request, Response

from runbook_lib.lab.gitlab.config import default_world
from runbook_lib.lab.slack import SlackLabConfig

BUTTON = {"type": "button", "text": {"type": "plain_text", "text": "Approve"}, "action_id": "approve", "value": "run 1"}


def post_button(lab: RunningSlack) -> str:
    web = WebClient(lab.config.bot_token, base_url=lab.api_url)
    blocks = [{"type": "actions", "elements": [BUTTON]}]
    return str(web.chat_postMessage(channel="#infra-changes", text="decide", blocks=blocks)["ts"])


def click(lab: RunningSlack, ts: str, **body: Any) -> requests.Response:
    body = {"message_ts": ts, "action_id": "approve", **body}
    return requests.post(f"{lab.url}/lab/slack/click", json=body, timeout=10)


def test_click_reaches_a_socket_mode_client_and_is_acknowledged() -> None:
    seen: queue.Queue[SocketModeRequest] = queue.Queue()

    def answer(client: Any, request: SocketModeRequest) -> None:
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        seen.put(request)

    with running_slack(SlackLabConfig()) as lab:
        web = WebClient(lab.config.bot_token, base_url=lab.api_url)
        client = SocketModeClient(lab.config.app_token, web_client=web)
        client.socket_mode_request_listeners.append(answer)
        client.connect()
        try:
            answered = click(lab, post_button(lab), user="sam")
        finally:
            client.close()
    request = seen.get(timeout=5)
    assert answered.json() == {"acknowledged": True}
    assert request.type == "interactive"
    assert request.payload["user"]["name"] == "sam"
    assert request.payload["actions"][0]["value"] == "run 1"


def test_socket_opens_by_its_own_ticket_only() -> None:
    with running_slack(SlackLabConfig()) as lab:
        web = WebClient(lab.config.bot_token, base_url=lab.api_url)
        url = web.apps_connections_open(app_token=lab.config.app_token)["url"]
        with connect(url) as socket:
            assert json.loads(socket.recv(timeout=5))["type"] == "hello"
        for address in (url, url.partition("ticket=")[0] + "ticket=guessed"):
            with pytest.raises(InvalidStatus, match="403"):
                connect(address)


def test_click_goes_out_as_a_request_that_slacks_verifier_accepts(httpserver: HTTPServer) -> None:
    received: list[Request] = []

    def keep(request: Request) -> Response:
        request.get_data()
        received.append(request)
        return Response("")

    httpserver.expect_request("/interactive").respond_with_handler(keep)
    config = SlackLabConfig(interactivity_url=httpserver.url_for("/interactive"))
    with running_slack(config) as lab:
        assert click(lab, post_button(lab)).status_code == 200
    body = received[0].get_data(as_text=True)
    assert SignatureVerifier(config.signing_secret).is_valid_request(body, dict(received[0].headers))
    assert not SignatureVerifier("another").is_valid_request(body, dict(received[0].headers))
    payload = json.loads(parse_qs(body)["payload"][0])
    assert (payload["type"], payload["user"]["name"]) == ("block_actions", "alex")


def test_click_that_nobody_listens_to_is_not_acknowledged() -> None:
    with running_slack(SlackLabConfig()) as lab:
        ts = post_button(lab)
        assert click(lab, ts).status_code == 502
        assert click(lab, ts, action_id="launch").status_code == 404
        assert click(lab, ts, user="mallory").status_code == 404


@pytest.fixture
def gitlab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_world()) as running:
        yield running


@pytest.fixture
def lab(gitlab: RunningGitLab) -> Iterator[RunningSlack]:
    with running_slack(SlackLabConfig(gitlab_url=gitlab.url, approver_token=gitlab.token("alex"))) as running:
        yield running


def decide(lab: RunningSlack, job: int, **answer: Any) -> requests.Response:
    return requests.post(f"{lab.url}/lab/approve", json={"job_id": job, **answer}, timeout=10)


def test_page_shows_the_pipelines_of_gitlab(lab: RunningSlack, gitlab: RunningGitLab) -> None:
    pipeline, job = gitlab.pipeline_before_apply()
    view = requests.get(f"{lab.url}/lab/slack/view", timeout=10).json()
    shown = view["pipelines"][0]
    assert (shown["id"], shown["status"]) == (pipeline, "manual")
    assert {"id": job, "status": "manual"}.items() <= next(j for j in shown["jobs"] if j["name"] == "apply").items()
    assert view["approver"] == "alex"


def test_approve_plays_the_manual_job_as_the_approver(lab: RunningSlack, gitlab: RunningGitLab) -> None:
    _, job = gitlab.pipeline_before_apply()
    assert decide(lab, job).status_code == 200
    played = gitlab.call("GET", f"/api/v4/projects/42/jobs/{job}", "riley").json()
    assert (played["status"], played["user"]["username"]) == ("pending", "alex")


def test_reject_plays_it_too_and_tells_the_job_so(lab: RunningSlack, gitlab: RunningGitLab) -> None:
    _, job = gitlab.pipeline_before_apply()
    assert decide(lab, job, decision="reject", reason="Not today").status_code == 200
    variables = gitlab.control(f"jobs/{job}/start")["variables"]
    assert (variables["RUNBOOK_DECISION"], variables["RUNBOOK_REASON"]) == ("reject", "Not today")


def test_job_that_waits_for_nobody_cannot_be_approved(lab: RunningSlack, gitlab: RunningGitLab) -> None:
    job = gitlab.job(gitlab.pipeline(), "plan")
    answer = decide(lab, job)
    assert answer.status_code == 400
    assert "Unplayable" in answer.json()["error"]


def test_page_says_when_gitlab_does_not_answer() -> None:
    with running_slack(SlackLabConfig(gitlab_url="http://127.0.0.1:9", approver_token="x")) as lab:
        assert "does not answer" in requests.get(f"{lab.url}/lab/slack/view", timeout=10).json()["pipelines_error"]
        assert decide(lab, 1).status_code == 502
    with running_slack(SlackLabConfig()) as lab:
        assert decide(lab, 1).status_code == 409


@pytest.mark.parametrize("path", ["/lab/approve", "/lab/slack/click", "/lab/slack/faults"])
def test_form_on_a_foreign_page_cannot_act_here(path: str) -> None:
    # A form can post text of its choice to a loopback address, but not as JSON.
    with running_slack(SlackLabConfig()) as lab:
        headers = {"Content-Type": "text/plain"}
        assert requests.post(lab.url + path, data='{"job_id": 1}', headers=headers, timeout=10).status_code == 422


def test_permalink_leads_to_the_page_at_the_message() -> None:
    with running_slack(SlackLabConfig()) as lab:
        ts = post_button(lab)
        web = WebClient(lab.config.bot_token, base_url=lab.api_url)
        link = web.chat_getPermalink(channel="C0INFRA", message_ts=ts)["permalink"]
        answer = requests.get(link, timeout=10, allow_redirects=False)
        assert answer.headers["location"] == f"/#p{ts.replace('.', '')}"
        assert requests.get(f"{lab.url}/archives/C0NOWHERE/p1", timeout=10).status_code == 404
