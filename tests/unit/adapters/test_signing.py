from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from runbook_lib.adapters.signing import generate_key, public_key, sign_statement, signer_id, verify_envelope
from runbook_lib.errors import ConfigError, EvidenceError

STATEMENT = b'{"_type": "https://in-toto.io/Statement/v1"}'


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    return generate_key()


def test_what_was_signed_comes_back_with_the_signers_id(keys: tuple[str, str]) -> None:
    private, public = keys
    assert verify_envelope(sign_statement(STATEMENT, private), public) == (STATEMENT, signer_id(public))


def test_the_envelope_is_dsse_with_an_in_toto_payload(keys: tuple[str, str]) -> None:
    document = json.loads(sign_statement(STATEMENT, keys[0]))
    assert document["payloadType"] == "application/vnd.in-toto+json"
    assert base64.b64decode(document["payload"]) == STATEMENT
    assert [signature["keyid"] for signature in document["signatures"]] == [signer_id(keys[0])]


def test_a_key_may_be_a_file_or_text_with_spelt_out_line_ends(keys: tuple[str, str], tmp_path: Path) -> None:
    private, public = keys
    file = tmp_path / "key.pem"
    file.write_text(private)
    assert public_key(str(file)) == public
    assert public_key(private.replace("\n", "\\n")) == public


def test_a_key_made_by_openssl_serves(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(file)], check=True)
    envelope = sign_statement(STATEMENT, str(file))
    assert verify_envelope(envelope, public_key(str(file)))[0] == STATEMENT


def test_changed_content_does_not_verify(keys: tuple[str, str]) -> None:
    document = json.loads(sign_statement(STATEMENT, keys[0]))
    document["payload"] = base64.b64encode(STATEMENT.replace(b"v1", b"v2")).decode()
    with pytest.raises(EvidenceError, match="changed"):
        verify_envelope(json.dumps(document).encode(), keys[1])


def test_a_stranger_signature_does_not_verify(keys: tuple[str, str]) -> None:
    stranger, _ = generate_key()
    with pytest.raises(EvidenceError, match=signer_id(stranger)):
        verify_envelope(sign_statement(STATEMENT, stranger), keys[1])


def test_a_stranger_who_claims_our_id_does_not_verify(keys: tuple[str, str]) -> None:
    document = json.loads(sign_statement(STATEMENT, generate_key()[0]))
    document["signatures"][0]["keyid"] = signer_id(keys[1])
    with pytest.raises(EvidenceError, match=r"does not verify|was changed"):
        verify_envelope(json.dumps(document).encode(), keys[1])


def test_without_a_key_the_signer_is_only_what_the_envelope_claims(keys: tuple[str, str]) -> None:
    assert verify_envelope(sign_statement(STATEMENT, keys[0])) == (STATEMENT, signer_id(keys[1]))


@pytest.mark.parametrize(
    "envelope",
    [b"", b"{}", b"[]", b"null", b'{"payload": 1, "payloadType": "x", "signatures": []}', b"\xff",
     b'{"payload": "", "payloadType": "text/plain", "signatures": []}',
     b'{"payload": "", "payloadType": "x", "signatures": [1]}',
     b'{"payload": "", "payloadType": "x", "signatures": [{"sig": "!", "keyid": 3}]}'],
)  # fmt: skip
def test_what_is_no_envelope_is_an_evidence_error(envelope: bytes) -> None:
    with pytest.raises(EvidenceError):
        verify_envelope(envelope)


def test_an_unsigned_envelope_does_not_verify(keys: tuple[str, str]) -> None:
    document = json.loads(sign_statement(STATEMENT, keys[0])) | {"signatures": []}
    with pytest.raises(EvidenceError, match=r"does not verify|was changed"):
        verify_envelope(json.dumps(document).encode(), keys[1])


@pytest.mark.parametrize("key", ["no-such-file.pem", "-----BEGIN PRIVATE KEY-----\nnonsense\n"])
def test_a_key_that_cant_be_read_is_a_configuration_error(key: str) -> None:
    with pytest.raises(ConfigError):
        sign_statement(STATEMENT, key)
    with pytest.raises(ConfigError):
        verify_envelope(sign_statement(STATEMENT, generate_key()[0]), key)


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(file)], check=True)
    with pytest.raises(ConfigError, match="not an ed25519 key"):
        sign_statement(STATEMENT, str(file))


def test_an_envelope_that_is_only_written_otherwise_or_signed_twice_was_changed(keys: tuple[str, str]) -> None:
    envelope = sign_statement(STATEMENT, keys[0])
    document, stranger = json.loads(envelope), json.loads(sign_statement(STATEMENT, generate_key()[0]))
    twice = document | {"signatures": [*document["signatures"], *stranger["signatures"]]}
    for changed in (envelope + b" ", json.dumps(document).encode(), (json.dumps(twice, indent=2) + "\n").encode()):
        with pytest.raises(EvidenceError, match="the signature file was changed"):
            verify_envelope(changed, keys[1])
