"""Whether an answer is the one that a service test wants, and if not, what is wrong with it first."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from runbook_lib.models.service_config import ServiceConfig, status_range
from runbook_lib.models.services import Certificate, ServiceAnswer, ServiceTest

__all__ = ["judge_answer"]

# Text by their name, and yet no charset of a web page: they take very long, or raise whatever is asked of them.
_NO_CHARSET: Final = frozenset({"punycode", "idna", "undefined", "unicode_escape", "raw_unicode_escape", "utf_7"})
_SHOWN: Final = 120
Hide = Callable[[str], str]


def judge_answer(test: ServiceTest, answer: ServiceAnswer, hide: Hide = str) -> str:
    """What is wrong with an answer, as `cause: what`, or nothing if it is as the test wants it.

    `hide` takes the test's secrets out of what the server said, before that is cut.
    """
    return _JUDGES[test.kind](test, answer, hide)


def _http(test: ServiceTest, answer: ServiceAnswer, hide: Hide) -> str:
    service = test.service
    return (
        (_redirect(service, answer, hide) if service else "")
        or _status(test, answer)
        or (_version(service, answer) if service else "")
        or (_headers(service, answer, hide) if service else "")
        or _text_of_http(test, answer, hide)
    )


def _redirect(service: ServiceConfig, answer: ServiceAnswer, hide: Hide) -> str:
    redirects = 300 <= answer.status < 400 and bool(answer.location)
    if service.redirect == "forbidden" and redirects:
        return f"redirect: to {hide(answer.location)[:200]}, and none is wanted"
    if service.redirect == "required":
        if not redirects:
            return f"redirect: none, but status {answer.status}"
        if service.location and answer.location != service.location:
            return f"redirect: to {hide(answer.location)[:200]} instead of {service.location}"
    return ""


def _status(test: ServiceTest, answer: ServiceAnswer) -> str:
    service = test.service
    if service and service.redirect == "required" and "status" not in service.model_fields_set:
        return ""
    low, high = status_range(test.status)
    return "" if low <= answer.status <= high else f"status: {answer.status} instead of {test.status}"


def _version(service: ServiceConfig, answer: ServiceAnswer) -> str:
    return f"version: HTTP/{answer.version} instead of HTTP/2" if service.http2 and answer.version != "2" else ""


def _headers(service: ServiceConfig, answer: ServiceAnswer, hide: Hide) -> str:
    for name, wanted in service.response_headers.items():
        found = [value for header, value in answer.headers if header.lower() == name.lower()]
        if not found:
            return f"header: there is no {name}"
        if not any(wanted in value for value in found):
            return f"header: {name} is {hide(found[0])[:_SHOWN]!r}, without {wanted!r}"
    return ""


def _text_of_http(test: ServiceTest, answer: ServiceAnswer, hide: Hide) -> str:
    service = test.service
    wants = bool(test.contains or (service and (service.matches or service.jsonpath)))
    if not wants:
        return ""
    if answer.undecodable:
        return f"encoding: the body is in {hide(answer.undecodable)[:40]!r}, which nothing here can decode"
    return _text(test, answer, hide, "the body") or (
        _json(service, answer, hide) if service and service.jsonpath else ""
    )


def _text(test: ServiceTest, answer: ServiceAnswer, hide: Hide, what: str) -> str:
    where = f"the first {len(answer.body)} bytes" if answer.truncated else what
    text, charset = _decoded(answer)
    odd = f" (its charset {hide(answer.charset)[:40]!r} is unknown, and was read as UTF-8)" if charset else ""
    if test.contains and test.contains not in text:
        return f"content: {where} did not contain {test.contains!r}{odd}"
    pattern = test.service.matches if test.service else ""
    if pattern and not _matches(pattern, text):
        return f"content: {where} did not match {pattern!r}{odd}"
    return ""


def _matches(pattern: str, text: str) -> bool:
    import cel

    # In time that grows with the text alone: a server must not be able to keep a pattern busy.
    return bool(cel.evaluate("text.matches(pattern)", {"text": text, "pattern": pattern}))


def _json(service: ServiceConfig, answer: ServiceAnswer, hide: Hide) -> str:
    from jsonpath_ng.ext.parser import parse

    if answer.truncated:
        return f"content: the JSON is longer than the {len(answer.body)} bytes that are read"
    try:
        document = json.loads(_decoded(answer)[0])
    except (ValueError, RecursionError):
        return "content: the body is no JSON"
    for path, wanted in service.jsonpath.items():
        try:
            found = [match.value for match in parse(path).find(document)]
        except Exception as error:  # noqa: BLE001 - the library lets through whatever a document makes it do
            return f"content: {path} can't be asked of this JSON: {type(error).__name__}"
        if not any(_equal(value, wanted) for value in found):
            said = hide(json.dumps(found[0], ensure_ascii=False))[:_SHOWN] if found else "not there"
            return f"content: {path} is {said} instead of {json.dumps(wanted, ensure_ascii=False)}"
    return ""


def _equal(value: Any, wanted: Any) -> bool:
    # Python takes true for 1; JSON doesn't, however deep it stands.
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_equal, value, wanted))
    if isinstance(value, dict) and isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(_equal(value[name], wanted[name]) for name in wanted)
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _decoded(answer: ServiceAnswer) -> tuple[str, bool]:
    """The body as text, and whether its charset is one that nobody has heard of."""
    try:
        if codecs.lookup(answer.charset).name.replace("-", "_") not in _NO_CHARSET:
            return answer.body.decode(answer.charset, "replace"), False
    except (LookupError, ValueError):
        pass
    return answer.body.decode("utf-8", "replace"), True


def _tls(test: ServiceTest, answer: ServiceAnswer, hide: Hide) -> str:
    service, shown = test.service, answer.certificate or Certificate()
    if service is None:
        return ""
    # That a server is old is why its chain could not be checked: it is said first.
    return (
        _term(service, answer, shown)
        or _spoken(service, answer)
        or _believed(service, shown)
        or _older(service, shown)
    )  # fmt: skip


def _term(service: ServiceConfig, answer: ServiceAnswer, shown: Certificate) -> str:
    if answer.at and shown.not_before and answer.at < shown.not_before:
        return f"certificate: not valid before {shown.not_before:%Y-%m-%d %H:%M} UTC"
    if answer.at and shown.not_after and shown.not_after - answer.at < timedelta(days=service.days_left):
        left, when = (shown.not_after - answer.at).days, f"{shown.not_after:%Y-%m-%d}"
        if left < 0:
            return f"certificate: expired on {when}"
        return f"certificate: {left} days left, until {when}, and {service.days_left} are wanted"
    return ""


def _spoken(service: ServiceConfig, answer: ServiceAnswer) -> str:
    least = service.minimum_version
    return f"version: TLS {answer.version}, and {least} is the least that is wanted" if answer.version < least else ""


def _believed(service: ServiceConfig, shown: Certificate) -> str:
    if service.chain and shown.untrusted:
        return f"certificate: is not valid: {shown.untrusted}"
    if service.chain and shown.unchecked:
        return f"certificate: its chain and name can't be checked: {shown.unchecked}"
    known = {name.lower() for name in shown.names}
    missing = [name for name in service.names if name.lower() not in known]
    if missing:
        return f"certificate: is not for {', '.join(missing)[:_SHOWN]}, but for {', '.join(shown.names)[:_SHOWN]}"
    return ""


def _older(service: ServiceConfig, shown: Certificate) -> str:
    taken, least = shown.older_version, service.minimum_version
    return f"version: TLS {taken} is still taken, and {least} is the least that is wanted" if taken else ""


def _tcp(test: ServiceTest, answer: ServiceAnswer, hide: Hide) -> str:
    wrong = _text(test, answer, hide, "what it said")
    return wrong.replace("content:", "banner:", 1) if wrong else ""


def _dns(test: ServiceTest, answer: ServiceAnswer, hide: Hide) -> str:
    service = test.service
    if service is None:
        return ""
    if not answer.records:
        return f"record: {service.query} has no {service.record}"
    wanted = {_record(service.record, text) for text in service.answers}
    found = {_record(service.record, text): text for text in answer.records}
    if wanted and wanted != set(found):
        return (
            f"record: {service.query} {service.record} is {', '.join(sorted(found.values()))[:200]}"
            f" instead of {', '.join(service.answers)[:200]}"
        )
    return ""


def _record(kind: str, text: str) -> str:
    # A TXT's quotes are DNS's own, and all between them is as it is written.
    if text.startswith('"'):
        return text.strip('"')
    # Names are the same with and without their last dot, in capitals or not.
    return text if kind == "TXT" else text.rstrip(".").lower()


_JUDGES: Final[Mapping[str, Callable[[ServiceTest, ServiceAnswer, Hide], str]]] = {
    "http": _http,
    "tls": _tls,
    "tcp": _tcp,
    "dns": _dns,
}
