"""What a cloud store's refusal means to the person who reads it: `final` and `explain` take an exception of obstore.

obstore tells kinds of errors apart only roughly, so the HTTP status and the service's own error code are read from its
text. What the text holds after a `?` may be a signature, and is never shown.
"""

from __future__ import annotations

import re

from flowc.runtime.store.urls import Place

_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_METADATA = re.compile(r"https?://(169\.254\.|metadata\.google|\[?fd00:)")
# Answers below 500 that mean "ask again": time-outs, conflicts with another request, too many requests.
_PASSING = {408, 409, 412, 425, 429}
# Answers above that mean "never": not implemented, HTTP version.
_NEVER = {501, 505}
_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run under a role with access",
    "gs": "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file",
    "az": "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_USE_AZURE_CLI=true after `az login`",
}
_RIGHTS = {
    "s3": "the bucket's policy must allow s3:GetObject, s3:PutObject, s3:ListBucket (and s3:DeleteObject for flowc gc)",
    "gs": "the account needs the role Storage Object User on the bucket",
    "az": "the identity needs the role Storage Blob Data Contributor on the container",
}
_REGION = "set AWS_REGION to the region of the bucket"
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired")


def missing_container(error: Exception) -> bool:
    """Whether a "not found" is about the bucket, not about the object."""
    return any(code in ("NoSuchBucket", "ContainerNotFound") for code in _CODE.findall(str(error)))


def lost_upload(error: Exception) -> bool:
    """Whether a "not found" is about an upload in parts: the end of one was told before, and the reply got lost."""
    return "NoSuchUpload" in _CODE.findall(str(error))


def final(error: Exception) -> bool:
    """Whether asking again is of no use."""
    text = str(error)
    if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError", "InvalidPathError", "ValueError"):
        return True
    if "redirect without LOCATION" in text or _METADATA.search(_first_line(text)):
        return True
    status = _STATUS.search(text)
    if status is None:
        return False
    number = int(status[1])
    return (number < 500 and number not in _PASSING) or number in _NEVER


def explain(error: Exception, place: Place) -> str:
    """One line: what is wrong, and what to do about it where that is known."""
    text = str(error)
    head = _first_line(text)
    code = next(iter(_CODE.findall(text)), "")
    status = _STATUS.search(head)
    number = int(status[1]) if status else 0
    word = "container" if place.kind == "az" else "bucket"
    if _METADATA.search(head):
        return f"no credentials were found; {_CREDENTIALS[place.kind]}"
    if "redirect without LOCATION" in text or code in ("PermanentRedirect", "IllegalLocationConstraintException"):
        return f"the {word} {place.container} is in another region; {_REGION}"
    if code == "AuthorizationHeaderMalformed":
        region = re.search(r"<Region>([\w-]+)</Region>", text)
        return f"the {word} {place.container} is in another region; {_REGION}{f', {region[1]}' if region else ''}"
    if missing_container(error) or type(error).__name__ in ("FileNotFoundError", "NotFoundError"):
        return f"there is no {word} {place.container}; flowc makes none: create it, or correct the URL"
    if code in _EXPIRED:
        return f"the credentials have expired ({code}); get new ones"
    if code == "RequestTimeTooSkewed":
        return "this machine's clock is wrong (RequestTimeTooSkewed); set it right"
    if type(error).__name__ == "UnauthenticatedError" or number == 401 or code in _BAD_KEYS:
        return f"the credentials are not accepted ({code or 401}); {_CREDENTIALS[place.kind]}"
    if type(error).__name__ == "PermissionDeniedError" or number == 403:
        return f"access is denied ({code or 403}); {_RIGHTS[place.kind]}"
    if number == 501:
        return "the server does not know create-only puts (If-None-Match: *), and flowc's commits need them"
    if status:
        return f"the server answered {number}{f' ({code})' if code else ''}{_tries(head)}"
    if "error sending request" in head or "kind: Connect" in text:
        return f"no answer from {_host(head)}{_cause(text)}{_tries(head)}; is the address right, and the network up?"
    return _scrub(head)


_BAD_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed", "InvalidToken")


def _first_line(text: str) -> str:
    # What follows are obstore's own debug structures.
    return text.splitlines()[0] if text else "unknown error"


def _host(head: str) -> str:
    found = re.search(r"https?://(?:[^/@\s]*@)?([^/\s?]+)", head)
    return found[1] if found else "the server"


def _cause(text: str) -> str:
    if "ConnectionRefused" in text:
        return " (connection refused)"
    if "dns error" in text:
        return " (unknown host)"
    return " (timed out)" if "TimedOut" in text or "kind: Timeout" in text else ""


def _tries(head: str) -> str:
    found = re.search(r"after (\d+) retries", head)
    return f", after {found[1]} retries" if found else ""


def _scrub(head: str) -> str:
    return re.sub(r"(https?://)[^/@\s]*@", r"\1", re.sub(r"\?\S*", "", head))
