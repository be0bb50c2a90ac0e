"""Files that only the holder of an age key can read (https://age-encryption.org/v1)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigError

__all__ = ["decrypt", "encrypt"]

_KEY = "RUNBOOK_AGE_KEY"


def encrypt(data: bytes, recipients: Sequence[str]) -> bytes:
    """The data for these recipients (`age1…`), each of whom can read it alone; ConfigError for one that is none."""
    import pyrage

    found = []
    for recipient in recipients:
        try:
            found.append(pyrage.x25519.Recipient.from_str(recipient))
        except pyrage.RecipientError as error:
            raise ConfigError(
                f"terraform.encrypt_to: {recipient[:20]!r} is no age recipient: {error}",
                "Give the public key that `age-keygen` prints, as age1….",
            ) from error
    return bytes(pyrage.encrypt(data, found))


def decrypt(data: bytes, key: str, name: str) -> bytes:
    """The data of a file of this name by an age key, or the path of one; ConfigError without the right one."""
    import pyrage

    if not key:
        raise ConfigError(
            f"{name} is encrypted, and there is no key here",
            f"Set {_KEY} to the age key that terraform.encrypt_to in runbook.yml is for, in this job too.",
        )
    try:
        identities = [pyrage.x25519.Identity.from_str(line) for line in _keys(key)]
        return bytes(pyrage.decrypt(data, identities))
    except pyrage.IdentityError as error:
        raise ConfigError(f"{_KEY} holds no age key: {error}", "Give what `age-keygen` wrote, or its path.") from error
    except pyrage.DecryptError as error:
        raise ConfigError(
            f"{name} can't be decrypted with {_KEY}: {error}", "Give the key that the plan was encrypted for."
        ) from error


def _keys(key: str) -> list[str]:
    text = key
    if "AGE-SECRET-KEY-" not in key.upper():
        try:
            text = Path(key).expanduser().read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{_KEY} is neither an age key nor a file that can be read", "Give what `age-keygen` wrote."
            ) from error
    # age-keygen writes comments beside the key.
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
