"""Fetch a release of Terraform or OpenTofu, hold it to its digest, and lay its program down: `URL SHA256 FOLDER`."""

from __future__ import annotations

import hashlib
import io
import sys
import urllib.request
import zipfile
from pathlib import Path

__all__ = ["main"]

PROGRAMS = ("terraform", "tofu")


def main(url: str, sha256: str, folder: str) -> int:
    """0, or 2 with what is wrong on stderr; nothing is written before the digest has been compared."""
    if not url.startswith(("https://", "file://")):
        return refuse(f"{url} is no https address", "Give the release's own address.")
    with urllib.request.urlopen(url, timeout=300) as answer:  # noqa: S310 - its scheme was looked at
        content = answer.read()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.strip().lower():
        return refuse(f"{url} has the digest {found}", "Compare with the release's SHA256SUMS.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in PROGRAMS if name in archive.namelist()]
        if not names:
            return refuse(f"{url} holds neither terraform nor tofu", "Give the zip of one platform.")
        target = Path(folder, names[0])
        target.write_bytes(archive.read(names[0]))
    target.chmod(0o755)
    return 0


def refuse(what: str, remedy: str) -> int:
    """Say it."""
    sys.stderr.write(f"error: {what}\nhint: {remedy}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
