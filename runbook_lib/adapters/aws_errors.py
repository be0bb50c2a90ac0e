"""What botocore raises, said as an AwsError with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from ..errors import AwsError

__all__ = ["map_error", "mapped"]

# By class name, so that a look at this table costs no import of botocore; the first match along the class's bases wins.
_REMEDIES: Final = {
    "NoCredentialsError": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with your AWS profile.",
    "PartialCredentialsError": "Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "CredentialRetrievalError": "Check how this machine gets its AWS credentials: profile, role or web identity.",
    "NoAuthTokenError": "Log in again: aws sso login.",
    "TokenRetrievalError": "Log in again: aws sso login.",
    "SSOError": "Log in again: aws sso login.",
    "LoginError": "Log in again: aws login.",
    "RefreshWithMFAUnsupportedError": "Get a session with MFA first, then export its keys.",
    "MetadataRetrievalError": "Check the role of this machine, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "ProfileNotFound": "Correct AWS_PROFILE, or unset it.",
    "ConfigParseError": "Correct ~/.aws/config, or the file that AWS_CONFIG_FILE names.",
    "ConfigNotFound": "Correct AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE.",
    "NoRegionError": "Set AWS_REGION.",
    "InvalidRegionError": "Correct AWS_REGION.",
    "UnknownRegionError": "Correct AWS_REGION.",
    "UnknownEndpointError": "Correct AWS_REGION.",
    "EndpointResolutionError": "Correct AWS_REGION and AWS_ENDPOINT_URL.",
    "EndpointConnectionError": "Check the network, and AWS_ENDPOINT_URL if it is set.",
    "ConnectTimeoutError": "Check the network, and AWS_ENDPOINT_URL if it is set.",
    "ReadTimeoutError": "AWS is slow; run it again.",
    "ProxyConnectionError": "Correct HTTPS_PROXY, or add AWS to NO_PROXY.",
    "SSLError": "Check AWS_CA_BUNDLE and the certificates of a proxy in between.",
    "ConnectionError": "Check the network, and AWS_ENDPOINT_URL if it is set.",
    "HTTPClientError": "Check the network, and AWS_ENDPOINT_URL if it is set.",
    "ResponseParserError": "Check AWS_ENDPOINT_URL, AWS_REGION and HTTPS_PROXY: what answers there is not AWS.",
    "InvalidConfigError": "Correct the AWS profile in ~/.aws/config.",
    "InvalidRetryConfigurationError": "Correct AWS_RETRY_MODE and AWS_MAX_ATTEMPTS.",
    "MissingDependencyException": "Install what botocore asks for, or choose another way to authenticate.",
}
_CODES: Final = {
    "ExpiredToken": "The session has expired: get new AWS credentials.",
    "ExpiredTokenException": "The session has expired: get new AWS credentials.",
    "RequestExpired": "The session has expired, or this machine's clock is wrong.",
    "AuthFailure": "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and this machine's clock.",
    "InvalidClientTokenId": "Check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN.",
    "UnrecognizedClientException": "Check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN.",
    "SignatureDoesNotMatch": "Check AWS_SECRET_ACCESS_KEY.",
    "OptInRequired": "Enable this region, or correct AWS_REGION.",
    "InvalidGroup.NotFound": "The group is gone: run the plan step again.",
    "InvalidGroupId.Malformed": "Correct the group's id in runbook.yml.",
    "InvalidPrefixListID.NotFound": "The prefix list is gone: run the plan step again.",
}
_DENIED: Final = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Client.UnauthorizedOperation"}
_THROTTLED: Final = {
    "RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown",
    "RequestThrottled", "RequestThrottledException", "EC2ThrottledException", "BandwidthLimitExceeded",
}  # fmt: skip
_ELSE: Final = "Look at the message of AWS, and run it again with --debug."


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Turn whatever botocore raises while doing `what` into an AwsError."""
    from botocore.exceptions import BotoCoreError, ClientError, EventStreamError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (BotoCoreError, ClientError, EventStreamError, ResponseParserError) as error:
        raise map_error(what, error) from error


def map_error(what: str, error: Exception) -> AwsError:
    """The AwsError for one exception of botocore: what failed, why, and what to do."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        return _refusal(what, response.get("Error") or {}, str(getattr(error, "operation_name", "")))
    names = [base.__name__ for base in type(error).__mro__]
    remedy = next((_REMEDIES[name] for name in names if name in _REMEDIES), _ELSE)
    return AwsError(f"AWS: {what} failed: {_first_line(str(error))}", remedy)


def _refusal(what: str, error: dict[str, Any], operation: str) -> AwsError:
    code = str(error.get("Code") or "no error code")
    message = _first_line(str(error.get("Message") or "no message"))
    if code in _DENIED:
        service = "sts" if operation == "GetCallerIdentity" else "ec2"
        action = f"{service}:{operation}" if operation else "this action"
        return AwsError(f"AWS refused {what}: {message}", f"Allow {action} to the role that runs this.")
    if code in _THROTTLED:
        return AwsError(f"AWS throttled {what}, after retries: {code}", "Wait a minute and run it again.")
    if (code.isdigit() and code.startswith("5")) or code in {"InternalError", "Unavailable", "ServiceUnavailable"}:
        return AwsError(f"AWS failed at {what}: {code} {message}", "AWS has a problem of its own; run it again.")
    return AwsError(f"AWS refused {what}: {code}: {message}", _CODES.get(code, _ELSE))


def _first_line(text: str) -> str:
    return " ".join(text.split())[:400]
