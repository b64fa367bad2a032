"""What an error of an object store means, and which setting to look at."""

from __future__ import annotations

import re

from warehouse.terminal_text import escape_name

_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
# what the text of an error contains, what that means, and where to look; the first that fits holds
_MEANINGS = (
    (r"SignatureDoesNotMatch", "it refuses the signature: look at AWS_SECRET_ACCESS_KEY"),
    (r"InvalidAccessKeyId", "it does not know this key: look at AWS_ACCESS_KEY_ID"),
    (r"ExpiredToken|InvalidToken|TokenRefreshRequired", "the session has expired: look at AWS_SESSION_TOKEN"),
    (r"RequestTimeTooSkewed", "the clock of this machine differs from that of the store"),
    (r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint", "look at AWS_REGION"),
    (
        r"169\.254\.169\.254|169\.254\.170\.2|CredentialsNotLoaded|credential provider",
        f"no credentials were found: set {_KEYS}",
    ),
    (
        r"AccessDenied|\b403\b|PermissionDenied|privileges",
        f"it refuses access: look at {_KEYS}, and at the bucket's rules",
    ),
    (r"\b401\b|Unauthenticated", f"it refuses the credentials: look at {_KEYS}"),
    (r"dns error|failed to lookup", "there is no such host: look at AWS_ENDPOINT_URL"),
    (r"invalid peer certificate|certificate", "its certificate is not accepted: look at AWS_ENDPOINT_URL"),
    (
        r"[Cc]onnection refused|error sending request|builder error|tcp connect|connect error|timed out",
        "it does not answer: look at AWS_ENDPOINT_URL and the network",
    ),
)
_CODE = re.compile(r"<Code>(\w+)</Code>")
_LONGEST = 300


def explain_failure(text: str, endpoint: str) -> str:
    """One sentence on an error of a store: the server, what it means, the setting to look at.

    Args:
        text: The text of the error.
        endpoint: The server; Amazon's if it is empty.
    """
    server = escape_name(endpoint) if endpoint else "Amazon's S3 (AWS_ENDPOINT_URL is not set)"
    meaning = next((meaning for pattern, meaning in _MEANINGS if re.search(pattern, text)), "")
    code = match[1] if (match := _CODE.search(text)) else ""
    if meaning:
        return f"{server}: {meaning}" + (f" ({code})" if code else "")
    # the first line of an error of obstore, which is followed by details for developers
    return f"{server}: {escape_name(next(iter(text.splitlines()), 'no reason given')[:_LONGEST])}"
