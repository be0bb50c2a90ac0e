"""What runbook.yml says of the services: whom to ask, what, and which answer is right."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from .base import Model
from .config_values import Duration, wrong
from .variables import CREDENTIALS

__all__ = [
    "Expect",
    "GroupReference",
    "OutputReference",
    "SecretText",
    "ServiceConfig",
    "ServiceKind",
    "ServiceRunConfig",
    "status_range",
]

ServiceKind = Literal["http", "tls", "tcp", "dns"]
Expect = Literal["answer", "unreachable", "refused", "timeout"]
TlsVersion = Literal["1.0", "1.1", "1.2", "1.3"]

_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?\.?")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ORIGIN: Final = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:\d{1,5})?/?")
# Headers whose value is a secret by their name: it has no place in a file that everybody reads.
_SECRET_HEADER: Final = re.compile(r"(?i).*(authorization|cookie|token|secret|password|api-?key|access-?key).*")
# Set by the client itself; another value would only make the test ask something else than it says.
_OUR_HEADER: Final = re.compile(r"(?i)host|content-length|transfer-encoding|connection|upgrade|te|expect")

# Which fields speak of what one kind asks, and of the answer that it wants.
_ASKING: Final[dict[str, frozenset[str]]] = {
    "http": frozenset({"url", "method", "headers", "body", "redirects_to", "http2"}),
    "tls": frozenset({"port", "server_name"}),
    "tcp": frozenset({"port", "send"}),
    "dns": frozenset({"port", "query", "record"}),
}
_ANSWER: Final[dict[str, frozenset[str]]] = {
    "http": frozenset(
        {"status", "contains", "matches", "jsonpath", "response_headers", "redirect", "location", "latency"}
    ),
    "tls": frozenset({"days_left", "names", "chain", "minimum_version", "latency"}),
    "tcp": frozenset({"contains", "matches", "latency"}),
    "dns": frozenset({"answers", "latency"}),
}


class GroupReference(Model):
    """The security group whose members are tested: an id, or the output of a stack's state that holds one."""

    id: str = ""
    stack: str = ""
    output: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> GroupReference:
        if bool(self.id) == bool(self.stack and self.output):
            raise ValueError("give either id, or stack and output")
        return self


class OutputReference(Model):
    """A stack's output that holds a host, an address or a URL, or several of them."""

    stack: str
    output: str


class SecretText(Model):
    """A text with a secret in it: the variable that holds the secret, and what stands around it (`Bearer {value}`)."""

    variable: str
    text: str = "{value}"

    @field_validator("variable")
    @classmethod
    def _no_credential_of_ours(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise wrong(f"{value!r} is no variable's name")
        if CREDENTIALS.fullmatch(value):
            raise wrong(f"{value} is a credential of the pipeline or of AWS, which no service is sent")
        return value

    @field_validator("text")
    @classmethod
    def _has_its_place(cls, value: str) -> str:
        if "{value}" not in value:
            raise wrong("has no {value}, which is where the secret goes")
        return value


class ServiceConfig(Model):
    """One service test, carried out on every address of whom it names: `group`, `output`, `tags` or `targets`.

    `interface` and `family` choose among a member's addresses; `family: either` is its IPv4 address, or the IPv6 one if
    it has no other. `expect` other than `answer` is the negative: it must not be reached, at
    any address that it has. `timeout` is an attempt's, `deadline` that of all attempts. A certificate has to be for
    `server_name`, or for the address that is asked; with `chain: false` nobody has to vouch for it.
    """

    name: str = Field(min_length=1, max_length=120)
    kind: ServiceKind = "http"
    group: GroupReference | None = None
    output: OutputReference | None = None
    tags: dict[str, str] = {}
    targets: tuple[str, ...] = ()
    interface: Literal["public", "private"] = "public"
    family: Literal["either", "ipv4", "ipv6", "both"] = "either"
    expect: Expect = "answer"
    timeout: Duration = timedelta(seconds=5)
    attempts: int = Field(default=3, ge=1, le=20)
    deadline: Duration | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    latency: Duration | None = None
    # http
    url: str = "http://{address}/"
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: dict[str, str | SecretText] = {}
    body: str | SecretText = ""
    status: Annotated[int, Field(ge=100, le=599)] | str = 200
    contains: str = ""
    matches: str = ""
    jsonpath: dict[str, JsonValue] = {}
    response_headers: dict[str, str] = {}
    redirect: Literal["allowed", "required", "forbidden"] = "allowed"
    location: str = ""
    redirects_to: tuple[str, ...] = ()
    http2: bool = False
    # tls
    server_name: str = ""
    days_left: int = Field(default=14, ge=0, le=3650)
    names: tuple[str, ...] = ()
    chain: bool = True
    minimum_version: TlsVersion = "1.2"
    # tcp
    send: str = ""
    # dns
    query: str = ""
    record: Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"] = "A"
    answers: tuple[str, ...] = ()

    @field_validator("targets")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for index, target in enumerate(value):
            if not is_host(target):
                raise wrong(f"{target[:80]!r} is neither a host's name nor an address", index)
        return value

    @field_validator("status")
    @classmethod
    def _a_status(cls, value: int | str) -> int | str:
        low, high = status_range(value)
        if not 100 <= low <= high <= 599:
            raise wrong(f"{value!r} is neither a status nor a range of them; write 200, or 200-299")
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("matches")
    @classmethod
    def _an_expression(cls, value: str) -> str:
        if value:
            _try_expression(value)
        return value

    @field_validator("jsonpath")
    @classmethod
    def _paths(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for path in value:
            _try_path(path)
        return value

    @field_validator("headers")
    @classmethod
    def _sendable(cls, value: dict[str, str | SecretText]) -> dict[str, str | SecretText]:
        for name, text in value.items():
            if not _HEADER.fullmatch(name):
                raise wrong(f"{name!r} is no header's name", name)
            if _OUR_HEADER.fullmatch(name):
                raise wrong(f"{name} is set by the client itself; Host is what the url says", name)
            plain = text if isinstance(text, str) else text.text
            if any(ord(letter) < 32 or ord(letter) == 127 for letter in plain):
                raise wrong("has a control character in it", name)
            if isinstance(text, str) and text and _SECRET_HEADER.fullmatch(name):
                raise wrong("is named like a secret: write {variable: NAME} and set the variable", name)
        return value

    @field_validator("redirects_to")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for index, origin in enumerate(value):
            if not _ORIGIN.fullmatch(origin):
                raise wrong(f"{origin[:80]!r} is no origin, as https://www.example.com:8443", index)
        return value

    @model_validator(mode="after")
    def _sense(self) -> ServiceConfig:
        self._check_whom()
        self._check_kind()
        self._check_answer()
        return self

    def _check_whom(self) -> None:
        ways = [name for name in ("group", "output", "tags", "targets") if getattr(self, name)]
        if len(ways) > 1:
            raise wrong(f"names whom to ask in more than one way: {', '.join(ways)}", ways[1])
        if not ways and self.kind != "dns":
            raise wrong("names nobody to ask: give group, output, tags or targets")

    def _check_kind(self) -> None:
        own = _ASKING[self.kind] | _ANSWER[self.kind]
        others = frozenset().union(*_ASKING.values(), *_ANSWER.values()) - own
        for name in sorted(self.model_fields_set & others):
            kinds = sorted(kind for kind in _ASKING if name in _ASKING[kind] | _ANSWER[kind])
            raise wrong(f"belongs to kind: {' or '.join(kinds)}, and this service is of kind: {self.kind}", name)
        if self.kind == "tcp" and self.port is None:
            raise wrong("a tcp service needs a port")
        if self.kind == "dns" and not is_host(self.query):
            raise wrong("a dns service needs the name to ask for", "query")

    def _check_answer(self) -> None:
        if self.expect != "answer":
            for name in sorted(self.model_fields_set & frozenset().union(*_ANSWER.values())):
                raise wrong(f"speaks of the answer, and expect: {self.expect} wants none", name)
        if self.kind == "http" and self.location and self.redirect != "required":
            raise wrong("needs redirect: required", "location")
        if self.redirects_to and self.redirect != "allowed":
            raise wrong(f"contradicts redirect: {self.redirect}", "redirects_to")


class ServiceRunConfig(Model):
    """All service tests of one run together.

    By `deadline` each has a result. `from_change` tests what a change opens and closes; `place` is where the runner
    stands, as networks that its address, seen from the services, is in: without any it is somewhere in the internet.
    `still_failing` says what a test does that failed before the change as well.
    """

    deadline: Duration = timedelta(minutes=10)
    concurrency: int = Field(default=200, ge=1, le=2000)
    from_change: bool = True
    place: tuple[str, ...] = ()
    still_failing: Literal["block", "warn"] = "block"

    @field_validator("place")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from ipaddress import ip_network

        for index, network in enumerate(value):
            try:
                ip_network(network)
            except ValueError as error:
                raise wrong(f"{network[:60]!r} is no network, as 10.1.0.0/16", index) from error
        return value


def status_range(value: int | str) -> tuple[int, int]:
    """The first and last status that will do; (0, 0) of what is none."""
    if isinstance(value, int):
        return value, value
    low, dash, high = value.partition("-")
    if not (re.fullmatch(r"[0-9]{3}", low) and (not dash or re.fullmatch(r"[0-9]{3}", high))):
        return 0, 0
    return int(low), int(high or low)


def is_host(text: str) -> bool:
    """Whether it is an address (IPv6 without brackets) or may be a host's name."""
    try:
        ip_address(text)
    except ValueError:
        return bool(_HOST.fullmatch(text)) and ".." not in text
    return True


def _try_expression(pattern: str) -> None:
    import cel

    try:
        cel.evaluate("text.matches(pattern)", {"text": "", "pattern": pattern})
    except (RuntimeError, ValueError) as error:
        why = [line for line in str(error).splitlines() if line.startswith("error:")] or ["error: can't be read"]
        reason = why[-1].removeprefix("error: ").partition(". Check")[0]
        raise wrong(f"is no regular expression: {reason}") from error


def _try_path(path: str) -> None:
    from jsonpath_ng.ext.parser import parse

    if "=~" in path:
        raise wrong("a filter by regular expression may never end; compare with == instead", path)
    try:
        parse(path)
    except Exception as error:  # the library raises bare exceptions of several kinds
        raise wrong(f"{path!r} is no JSONPath: {str(error)[:120]}", path) from error


def names_twice(services: tuple[Any, ...]) -> int | None:
    """The place of the first service whose name another one before it has."""
    seen: set[str] = set()
    for index, service in enumerate(services):
        if service.name in seen:
            return index
        seen.add(service.name)
    return None
