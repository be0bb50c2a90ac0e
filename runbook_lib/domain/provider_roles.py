"""The roles that a stack's providers take on, by the account that each is in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from runbook_lib.models.plan import Plan

__all__ = ["provider_roles"]

_ARN: Final = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):role/.+")


def provider_roles(plan: Plan) -> dict[str, tuple[str, str]]:
    """The ARN of the role and the external id that it asks for, by account.

    From the plan's configuration: an ARN that is a text or a variable. One that is put together from other parts the
    plan does not tell.
    """
    found: dict[str, tuple[str, str]] = {}
    providers = plan.configuration.get("provider_config")
    for provider in providers.values() if isinstance(providers, Mapping) else ():
        blocks = (provider.get("expressions") or {}).get("assume_role") if isinstance(provider, Mapping) else None
        # Roles may be chained: the last one is whose account counts.
        for block in blocks if isinstance(blocks, list) else [blocks]:
            if isinstance(block, Mapping):
                arn = _value(block.get("role_arn"), plan.variables)
                match = _ARN.fullmatch(arn)
                if match:
                    found[match[1]] = (arn, _value(block.get("external_id"), plan.variables))
    return found


def _value(expression: Any, variables: Mapping[str, Any]) -> str:
    if not isinstance(expression, Mapping):
        return ""
    constant = expression.get("constant_value")
    if isinstance(constant, str):
        return constant
    references = expression.get("references")
    if isinstance(references, list) and len(references) == 1 and str(references[0]).startswith("var."):
        known = variables.get(str(references[0]).removeprefix("var."))
        value = known.get("value") if isinstance(known, Mapping) else None
        return value if isinstance(value, str) else ""
    return ""
