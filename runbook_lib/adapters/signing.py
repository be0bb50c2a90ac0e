"""DSSE envelopes with ed25519 keys: signing evidence, and checking who signed it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigError, EvidenceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["generate_key", "public_key", "sign_statement", "signer_id", "verify_envelope"]

_PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_HOW: Final = "Make one with: openssl genpkey -algorithm ed25519 -out key.pem"


def generate_key() -> tuple[str, str]:
    """A new ed25519 key as PEM text: the private one (PKCS 8) and the public one."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]  # exported without saying so

    private = CryptoSigner.generate_ed25519().private_bytes.decode()
    loaded = _private(private)
    text = loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return text, public_key(text)


def public_key(key: str) -> str:
    """The public half, as PEM text, of a private key given as PEM text or as the path of a PEM file."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return _private(key).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signer_id(key: str) -> str:
    """The id under which signatures of this key stand in an envelope; the key may be the public or the private one."""
    return str(_trusted(key).keyid)


def sign_statement(statement: bytes, key: str, kind: str = _PAYLOAD_TYPE) -> bytes:
    """The signed envelope, as JSON, around an in-toto statement; `key` is PEM text or the path of a PEM file.

    `kind` is the type of another content: what was signed as one is never taken for another.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]  # exported without saying so

    envelope = Envelope(statement, kind, {})
    envelope.sign(CryptoSigner(_private(key)))
    return _written(envelope)


def _written(envelope: Any) -> bytes:
    return (json.dumps(envelope.to_dict(), indent=2) + "\n").encode()


def verify_envelope(envelope: bytes, key: str = "", kind: str = _PAYLOAD_TYPE) -> tuple[bytes, str]:
    """The signed bytes and the id of the key that signed them, checked against `key` if there is one.

    Without a key the id is only what the envelope claims. EvidenceError for what is no envelope, or was not signed
    with that key.
    """
    from securesystemslib.exceptions import VerificationError

    opened = _open(envelope, kind)
    claimed = ", ".join(opened.signatures)
    if not key:
        _as_we_write_it(envelope, opened)
        return opened.payload, claimed
    trusted = _trusted(key)
    try:
        opened.verify([trusted], 1)
    except VerificationError as error:
        known = trusted.keyid in opened.signatures
        why = "its content was changed after signing" if known else f"it was signed with the key {claimed or '(none)'}"
        raise EvidenceError(f"the signature does not verify with the key {trusted.keyid}: {why}") from error
    _as_we_write_it(envelope, opened)
    return opened.payload, str(trusted.keyid)


def _as_we_write_it(envelope: bytes, opened: Any) -> None:
    # JSON and base64 can be written in many ways, and ours is written in one.
    if _written(opened) != envelope or len(opened.signatures) != 1:
        raise EvidenceError("the signature file was changed", "Restore it from the artifacts.")


def _open(envelope: bytes, kind: str) -> Any:
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import FormatError

    try:
        opened = Envelope.from_dict(json.loads(envelope))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, FormatError) as error:
        raise EvidenceError(
            f"the signature file is no DSSE envelope: {error}", "Restore it from the artifacts."
        ) from error
    if opened.payload_type != kind:
        wanted = "an in-toto statement" if kind == _PAYLOAD_TYPE else kind
        raise EvidenceError(f"the signed content is {opened.payload_type!r}, not {wanted}")
    return opened


def _private(key: str) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        loaded = load_pem_private_key(_pem(key), None)
    except (ValueError, TypeError) as error:
        raise ConfigError("the signing key is no unencrypted PEM private key", _HOW) from error
    if not isinstance(loaded, Ed25519PrivateKey):
        raise ConfigError("the signing key is not an ed25519 key", _HOW)
    return loaded


def _trusted(key: str) -> Any:
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # exported without saying so

    return SSlibKey.from_crypto(_public(key))


def _public(key: str) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pem = _pem(key)
    if b"PRIVATE KEY" in pem:
        return _private(key).public_key()
    try:
        loaded = load_pem_public_key(pem)
    except ValueError as error:
        raise ConfigError(
            "the key is no PEM public key", "Give the public half: openssl pkey -in key.pem -pubout"
        ) from error
    if not isinstance(loaded, Ed25519PublicKey):
        raise ConfigError("the key is not an ed25519 key", _HOW)
    return loaded


def _pem(key: str) -> bytes:
    # CI variables hold either the file's path (GitLab's type File) or its text, sometimes with the line ends spelt out.
    if "-----BEGIN" in key:
        return key.replace("\\n", "\n").encode()
    try:
        return Path(key).expanduser().read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the key {key} can't be read: {error.strerror}", "Name a PEM file, or give its text."
        ) from error
