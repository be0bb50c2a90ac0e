"""What the demo looks at for itself: the page as a visitor, AWS with a console, the evidence as a stranger."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

import requests

from ..lab.addresses import LabAddresses
from ..runner.evidence import prove_folder

__all__ = ["add_rule_by_hand", "look_at_page", "prove"]


def look_at_page(lab: LabAddresses) -> str:
    """Ask for the page and its picture through the edge, and say what came."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            page = session.get(lab.front_url, timeout=10)
        except requests.RequestException as error:
            return f"the page is unreachable ({type(error).__name__})"
        found = re.search(r'<img[^>]+src="([^"]+)"', page.text)
        if page.status_code != 200 or not found:
            return f"the page answers {page.status_code} without a picture"
        picture = session.get(urljoin(lab.front_url, found[1]), timeout=10)
    kind = picture.headers.get("Content-Type", "")
    return (
        f"the page answers {page.status_code}, its picture {picture.status_code} ({kind}, {len(picture.content)} bytes)"
    )


def add_rule_by_hand(lab: LabAddresses) -> None:
    """Open SSH to the world on the web group, as somebody in the console would."""
    import boto3

    environment = lab.aws_environment()
    client = boto3.client(
        "ec2",
        endpoint_url=lab.aws_url,
        region_name=environment["AWS_REGION"],
        aws_access_key_id=lab.credentials.aws_key,
        aws_secret_access_key=lab.credentials.aws_secret,
    )
    groups = client.describe_security_groups(Filters=[{"Name": "tag:Role", "Values": ["web"]}])["SecurityGroups"]
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    client.authorize_security_group_ingress(GroupId=groups[0]["GroupId"], IpPermissions=[permission])


def prove(run_dir: Path, public_key: Path) -> str:
    """Verify the run folder with the public key alone, as a stranger would."""
    report = prove_folder(run_dir, public_key)
    if not report.valid:
        return f"does not verify: {'; '.join(report.problems)}"
    return f"{report.files} files verify, signed by {report.signed_by[:16]}" if report.signed_by else "not signed"
