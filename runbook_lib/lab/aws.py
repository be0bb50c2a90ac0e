"""The lab's AWS: moto behind a gate that gives out documentation addresses and fails when it is told to."""

from __future__ import annotations

import io
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from .clients import INSIDE
from .faults import AwsFault, Faults
from .moto_fixes import take_address
from .servers import HttpServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Aws", "Gate"]

_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
    "<RequestID>00000000-0000-4000-8000-000000000000</RequestID></Response>"
)

# Calls that change nothing: asked again, they are answered anew.
_READS = ("Describe", "Get", "List", "Lookup")
_REMEMBERED = 1000  # answers
_Answer = tuple[str, list[tuple[str, str]], bytes]


class Gate:
    """A WSGI application in front of moto's."""

    def __init__(self, application: WSGIApplication, faults: Faults) -> None:
        self.application = application
        self.faults = faults
        self._turn = threading.Lock()
        self._changed: OrderedDict[str, _Answer] = OrderedDict()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call."""
        _as_moto_reads(environ)
        form = _form(environ)
        action = form.get("Action", "")
        inside = INSIDE in environ.get("HTTP_USER_AGENT", "")
        call = str(environ.get("HTTP_AMZ_SDK_INVOCATION_ID", ""))
        fault = self.faults.strike(action) if action and not inside and call not in self._changed else None
        if fault is not None:
            return _refuse(fault, action, start_response)
        if action == "AllocateAddress" and "Address" not in form:
            _append(environ, f"&Address={take_address()}")
        # moto changes its lists in place: a rule taken out while another is put in can make that fail.
        with self._turn:
            status, headers, body = self._answer(environ, action, call)
        start_response(status, headers)
        return [body]

    def _answer(self, environ: WSGIEnvironment, action: str, call: str) -> _Answer:
        """What moto says, once for each call: on a busy machine an answer can be lost, and the client asks again.

        A second attempt that changed the world again would find its own group there already.
        """
        from werkzeug.test import run_wsgi_app

        if call in self._changed:
            logging.warning("%s is asked again (%s)", action, environ.get("HTTP_AMZ_SDK_REQUEST"))
            return self._changed[call]
        given, status, headers = run_wsgi_app(self.application, environ, buffered=True)
        answer = status, headers.to_wsgi_list(), b"".join(given)
        # What fails in the server is to be tried again.
        if call and action and not action.startswith(_READS) and not status.startswith("5"):
            self._changed[call] = answer
            if len(self._changed) > _REMEMBERED:
                self._changed.popitem(last=False)
        return answer


class Aws:
    """The server; listening as soon as it is made, answering once started.

    It keeps connections, as AWS does and as moto's own server does not. Where a server closes behind its answer, Go's
    client takes one answer in a few hundred for lost on a busy machine, and the provider asks for the same rule again.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._server = HttpServer("aws")
        self.url = self._server.url

    def start(self) -> None:
        """Answer from now on."""
        from a2wsgi import WSGIMiddleware
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        from .moto_fixes import mend_moto

        mend_moto()
        gate: Any = Gate(DomainDispatcherApplication(create_backend_app), self._faults)
        self._server.start(WSGIMiddleware(gate))

    def stop(self) -> None:
        """Answer no more, and give the port back."""
        self._server.stop()


def _as_moto_reads(environ: WSGIEnvironment) -> None:
    # What moto's own server would add: an S3 key's path as it was sent, and names of metadata that have an underscore.
    from moto.core.request import (
        PRESERVED_HEADER_NAMES_ENVIRON_KEY,
        environ_key_for_header,
        should_preserve_original_header_name,
    )

    scope = environ["asgi.scope"]
    environ["RAW_URI"] = scope["raw_path"].decode("latin-1")
    names = [name.decode("latin-1") for name, _ in scope["headers"]]
    kept = {environ_key_for_header(name): name for name in names if should_preserve_original_header_name(name)}
    environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = kept


def _form(environ: WSGIEnvironment) -> dict[str, str]:
    # EC2 and STS calls are forms; whatever else comes (S3 objects) is left unread.
    if not str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        return {}
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _append(environ: WSGIEnvironment, text: str) -> None:
    body = environ["wsgi.input"].read() + text.encode()
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def _refuse(fault: AwsFault, action: str, start_response: Any) -> list[bytes]:
    message = (
        f"You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/lab is not authorized "
        f"to perform: ec2:{action} because no identity-based policy allows the ec2:{action} action"
        if fault.status == 403
        else "An internal error has occurred"
    )
    body = _ERROR.format(code=escape(fault.code), message=escape(message)).encode()
    start_response(f"{fault.status} Refused", [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
    return [body]
