"""What can go wrong between here and the hub, as sentences.

The hub library changes its HTTP library between versions, so network errors are told apart by class names, which
have stayed the same.
"""

from __future__ import annotations

from ..errors import WorldTracingError
from .catalogue import RELEASED, ReleasedModel

FROM_FILE = " Or fetch the file with a browser and convert it: `worldtracing weights convert {name} --from FILE`."
TRANSIENT = ("TransportError", "ConnectionError", "TimeoutError")
BUSY_STATUS = (408, 429, 500, 502, 503, 504)
LASTING = ("ProxyError", "UnsupportedProtocol", "OfflineModeIsEnabled", "WorldTracingError")


def is_transient(error: Exception) -> bool:
    """Whether trying again may help."""
    names, status = _names(error), _status(error)
    return status in BUSY_STATUS or (bool(names & {*TRANSIENT}) and not names & {*LASTING})


def translate(error: Exception, model: ReleasedModel, endpoint: str, token: str | None) -> WorldTracingError | None:
    """The error for the user, or None for one that has nothing to do with the network."""
    names, status = _names(error), _status(error)
    if isinstance(error, WorldTracingError):
        return error
    if "GatedRepoError" in names or status in (401, 403):
        return _refused(model, token)
    if names & {"RepositoryNotFoundError", "EntryNotFoundError", "RevisionNotFoundError", "DisabledRepoError"}:
        return WorldTracingError(
            "WT-MODEL-NOT-FOUND",
            f"There is no {model.repo}/{model.file} at {endpoint}.",
            f"Look at {model.page}: it may have moved, or a mirror may lack it.{_from_file(model)}",
        )
    if "OfflineModeIsEnabled" in names:
        return WorldTracingError(
            "WT-NET-OFFLINE",
            "The hub library is in offline mode.",
            f"Unset HF_HUB_OFFLINE.{_from_file(model)}",
        )
    if "ProxyError" in names:
        return WorldTracingError(
            "WT-NET-PROXY",
            f"The proxy did not let the request to {endpoint} through ({error}).",
            "Check the environment variables HTTPS_PROXY and NO_PROXY.",
        )
    if status is not None:
        return WorldTracingError(
            "WT-NET-SERVER",
            f"{endpoint} answered with an error ({status}).",
            "Try again later, or use a mirror (HF_ENDPOINT).",
        )
    if names & {*TRANSIENT, "HTTPError", "UnsupportedProtocol"}:
        return WorldTracingError(
            "WT-NET-UNREACHABLE",
            f"{endpoint} cannot be reached ({error}).",
            f"Check the network, proxy and firewall, or use a mirror (HF_ENDPOINT).{_from_file(model)}",
        )
    return None


def incomplete(done: int, size: int, error: Exception) -> WorldTracingError:
    """The connection was lost in the middle and did not come back."""
    return WorldTracingError(
        "WT-NET-LOST",
        f"The connection was lost after {done / 1e6:.1f} of {size / 1e6:.1f} MB ({error}).",
        "Download again: it goes on where it stopped.",
    )


def not_a_hub(endpoint: str) -> WorldTracingError:
    """Something answered, but not a hub: a login page of the network, or a mistyped mirror."""
    return WorldTracingError(
        "WT-NET-SERVER",
        f"{endpoint} does not answer as a Hugging Face Hub does.",
        "Check HF_ENDPOINT, and whether the network shows a login page in a browser.",
    )


def _refused(model: ReleasedModel, token: str | None) -> WorldTracingError:
    why = "the token has no access to it" if token else "no token was given, or it has no access"
    return WorldTracingError(
        "WT-MODEL-GATED",
        f"The hub does not give out {model.repo}: {why}.",
        f"Sign in at {model.page}, accept the terms there, then set HF_TOKEN to an access token of that account.",
    )


def _from_file(model: ReleasedModel) -> str:
    """Nothing is converted of models that are other people's."""
    return FROM_FILE.format(name=model.name) if model.name in RELEASED else ""


def _names(error: BaseException) -> set[str]:
    return {cls.__name__ for cls in type(error).__mro__}


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)
