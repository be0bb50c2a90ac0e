"""slack_sdk's two clients, with its retry handlers set to what a run can wait for."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from slack_sdk import WebClient
from slack_sdk.http_retry import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler, RetryHandler
from slack_sdk.http_retry.builtin_handlers import ServerErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.webhook import WebhookClient

__all__ = ["PATIENCE", "web_client", "webhook_client"]

TIMEOUT = 15  # seconds
PATIENCE = 30  # seconds; told to wait longer, the message is better kept for the next step

# The SDK would log every failure as well; here each one becomes an exception.
_QUIET = logging.getLogger("runbook_lib.adapters.slack.sdk")
_QUIET.setLevel(logging.CRITICAL)


class _PatientHandler(RateLimitErrorRetryHandler):
    """The SDK's handler, but for waits that would hold up a run."""

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if not super()._can_retry(state=state, request=request, response=response, error=error) or response is None:
            return False
        values = [value for name, value in response.headers.items() if name.lower() == "retry-after"]
        return not values or (values[0][0].isdigit() and int(values[0][0]) <= PATIENCE)


def _handlers() -> list[RetryHandler]:
    return [_PatientHandler(max_retry_count=3), ConnectionErrorRetryHandler(), ServerErrorRetryHandler()]


def web_client(token: str, api_url: str) -> WebClient:
    """The client of the Web API."""
    client = WebClient(token or None, base_url=api_url, timeout=TIMEOUT, retry_handlers=_handlers(), logger=_QUIET)
    if _bypassed(api_url):
        client.proxy = None
    return client


def webhook_client(url: str) -> WebhookClient:
    """The client of one incoming webhook."""
    client = WebhookClient(url, timeout=TIMEOUT, retry_handlers=_handlers(), logger=_QUIET)
    if _bypassed(url):
        client.proxy = None
    return client


def _bypassed(url: str) -> bool:
    # The SDK reads the variables of the proxy, but not NO_PROXY.
    return bool(proxy_bypass(urlsplit(url).hostname or ""))
