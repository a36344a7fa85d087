"""What AWS's own files say where the environment is silent: `settings` gives obstore's S3 settings and credentials.

obstore knows the variables, web identities of pods, containers' and instances' roles. People at their desks have
`~/.aws/config` and `~/.aws/credentials` with profiles. Keys that stand there are read here; profiles that need a
conversation (single sign-on, assumed roles, helper programs) are left to botocore, where it is installed.
"""

from __future__ import annotations

import configparser
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flowc.runtime.store.urls import StoreError

# Where one of these is set, obstore finds credentials by itself, and by AWS's own order they come before any file.
_OWN = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)
_CONVERSATION = ("sso_session", "sso_start_url", "role_arn", "credential_process", "login_session")
Provider = Callable[[], dict[str, Any]]


def settings(env: Mapping[str, str]) -> tuple[dict[str, Any], Provider | None]:
    """Settings for obstore's `S3Store`, and where credentials come from if not from obstore itself."""
    profile = env.get("AWS_PROFILE") or "default"
    asked = bool(env.get("AWS_PROFILE"))
    home = Path(env.get("HOME") or "/nonexistent", ".aws")
    config = _read(Path(env.get("AWS_CONFIG_FILE") or home / "config"))
    keys = _read(Path(env.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials"))
    section = config.get("default" if profile == "default" else f"profile {profile}", {})
    found: dict[str, Any] = {}
    if not (env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")) and section.get("region"):
        found["region"] = section["region"]
    if section.get("endpoint_url"):
        found["endpoint"] = section["endpoint_url"]
    if any(env.get(name) for name in _OWN):
        return found, None
    own = keys.get(profile) or section
    if own.get("aws_access_key_id"):
        found["access_key_id"] = own["aws_access_key_id"]
        found["secret_access_key"] = own.get("aws_secret_access_key", "")
        if own.get("aws_session_token"):
            found["session_token"] = own["aws_session_token"]
        return found, None
    if any(name in section or name in own for name in _CONVERSATION):
        return found, _botocore(profile)
    if asked and not section and not own:
        raise StoreError(f"AWS_PROFILE names the profile {profile!r}, and AWS's files in {home} have none of that name")
    return found, None


def _read(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}  # the AWS tools say better what is wrong with their files
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _botocore(profile: str) -> Provider:
    try:
        import botocore.session
    except ImportError:
        raise StoreError(
            f"the AWS profile {profile!r} needs a sign-on that flowc leaves to botocore; pip install botocore, "
            'or put keys into the environment: eval "$(aws configure export-credentials --format env)"'
        ) from None
    credentials: Any = botocore.session.Session(profile=profile).get_credentials()
    if credentials is None:
        raise StoreError(f"the AWS profile {profile!r} gives no credentials; try: aws sso login --profile {profile}")

    def provide() -> dict[str, Any]:
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            # botocore renews by itself what is about to expire: ask it again soon.
            "expires_at": datetime.now(UTC) + timedelta(minutes=10),
        }

    return provide
