"""Terraform files, read without Terraform: what is certain, and UNKNOWN for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .findings import Source

__all__ = ["HclModule", "HclResource"]


@dataclass(frozen=True, slots=True)
class HclResource:
    """One instance of a resource block; `values` with UNKNOWN for what is not certain.

    `references` maps an attribute to the addresses of the resources that its expression names. `written` is a digest of
    the expressions of what is not certain, and of all that they name; empty where everything is.
    """

    address: str
    type: str
    values: Mapping[str, Any]
    source: Source
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    written: str = ""


@dataclass(frozen=True)
class HclModule:
    """A root module with all that it calls from local folders; `unread` are the calls that were not followed.

    `versions` are the versions that calls of modules from elsewhere ask for, by the names of the calls on the way.
    `product` says who reads the files, if that is known; else `doubtful` are those that OpenTofu alone reads, in place
    of others.
    """

    resources: tuple[HclResource, ...] = ()
    unread: tuple[str, ...] = ()
    versions: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    doubtful: tuple[str, ...] = ()
    product: str = ""
