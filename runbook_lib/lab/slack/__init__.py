"""A Slack workspace of its own: Web API, uploads, webhooks, and a page to see them."""

from __future__ import annotations

from .app import create_app
from .config import SlackLabConfig, SlackUser

__all__ = ["SlackLabConfig", "SlackUser", "create_app"]
