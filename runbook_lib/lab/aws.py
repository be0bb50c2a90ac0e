"""The lab's AWS: moto behind a gate that gives out documentation addresses and fails when it is told to."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from .clients import INSIDE
from .faults import AwsFault, Faults
from .moto_fixes import take_address

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Aws", "Gate"]

_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
    "<RequestID>00000000-0000-4000-8000-000000000000</RequestID></Response>"
)


class Gate:
    """A WSGI application in front of moto's."""

    def __init__(self, application: WSGIApplication, faults: Faults) -> None:
        self.application = application
        self.faults = faults
        self._turn = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call."""
        form = _form(environ)
        action = form.get("Action", "")
        inside = INSIDE in environ.get("HTTP_USER_AGENT", "")
        fault = self.faults.strike(action) if action and not inside else None
        if fault is not None:
            return _refuse(fault, action, start_response)
        if action == "AllocateAddress" and "Address" not in form:
            _append(environ, f"&Address={take_address()}")
        # moto changes its lists in place: a rule taken out while another is put in can make that fail.
        with self._turn:
            return self.application(environ, start_response)


class Aws:
    """The server; listening as soon as it is made, answering once started."""

    def __init__(self, faults: Faults) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
        from werkzeug.serving import make_server

        from .moto_fixes import mend_moto

        mend_moto()
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        gate = Gate(DomainDispatcherApplication(create_backend_app), faults)
        self._server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=MotoRequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="aws", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and give the port back."""
        self._server.shutdown()
        self._server.server_close()


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
