"""Files for the holder of an age key alone."""

from __future__ import annotations

from pathlib import Path

import pyrage
import pytest

from runbook_lib.adapters.age import decrypt, encrypt
from runbook_lib.errors import ConfigError


@pytest.fixture
def key() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


def test_each_recipient_reads_it_alone_and_nobody_else(key: pyrage.x25519.Identity, tmp_path: Path) -> None:
    other = pyrage.x25519.Identity.generate()
    sealed = encrypt(b"a plan with a secret", [str(key.to_public()), str(other.to_public())])
    assert b"secret" not in sealed
    assert decrypt(sealed, str(key), "plan.tfplan.age") == b"a plan with a secret"
    written = tmp_path / "age.key"
    written.write_text(f"# created: 2026-11-23\n# public key: {other.to_public()}\n{other}\n")
    assert decrypt(sealed, str(written), "plan.tfplan.age") == b"a plan with a secret"
    with pytest.raises(ConfigError, match=r"plan\.tfplan\.age can't be decrypted with RUNBOOK_AGE_KEY"):
        decrypt(sealed, str(pyrage.x25519.Identity.generate()), "plan.tfplan.age")


def test_what_is_missing_or_wrong_is_named_and_no_key_is_shown(key: pyrage.x25519.Identity, tmp_path: Path) -> None:
    sealed = encrypt(b"x", [str(key.to_public())])
    with pytest.raises(ConfigError, match="there is no key here") as caught:
        decrypt(sealed, "", "plan.tfplan.age")
    assert "RUNBOOK_AGE_KEY" in caught.value.remedy
    with pytest.raises(ConfigError, match="neither an age key nor a file"):
        decrypt(sealed, str(tmp_path / "nowhere"), "plan.tfplan.age")
    with pytest.raises(ConfigError, match="holds no age key") as caught:
        decrypt(sealed, "AGE-SECRET-KEY-1WRONG", "plan.tfplan.age")
    assert "1WRONG" not in caught.value.message
    with pytest.raises(ConfigError, match="can't be decrypted"):
        decrypt(b"no age file", str(key), "plan.tfplan.age")
    with pytest.raises(ConfigError, match=r"terraform\.encrypt_to"):
        encrypt(b"x", ["age1" + "q" * 58])
