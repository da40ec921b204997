"""Networks on the Hugging Face Hub: `hf://USER/NAME`, or `hf://USER/NAME@REVISION` for a branch, tag or commit.

Only `weights.safetensors` is fetched, and nothing in a repository is run. `HF_ENDPOINT` names another server,
`HF_HOME` another cache and `HF_HUB_OFFLINE=1` takes what is in the cache, as in all programs that use the Hub.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from drumhead.errors import DrumheadError

SCHEME = "hf://"
WEIGHTS = "weights.safetensors"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"


class Address(NamedTuple):
    """Where a network lies on the Hub."""

    repository: str
    """USER/NAME."""
    revision: str
    """A branch, a tag or a commit; "" is the main branch."""


def address(text: str) -> Address:
    """Read `hf://USER/NAME[@REVISION]`, or the same without `hf://`.

    Raises:
        DrumheadError: it is not of that form.

    Example:
        >>> from drumhead.networks.hub import address
        >>> address("hf://ada/wires-small@v1")
        Address(repository='ada/wires-small', revision='v1')
    """
    found = re.fullmatch(rf"(?:{SCHEME})?({_NAME}/{_NAME})(?:@([\w./-]{{1,200}}))?", text, re.ASCII)
    if not found:
        raise DrumheadError(f"{text!r} is no place on the Hub; give hf://USER/NAME or hf://USER/NAME@REVISION")
    return Address(found[1], found[2] or "")


def fetch(text: str) -> Path:
    """Return the weights of a repository, downloaded unless they are in the cache.

    Raises:
        DrumheadError: huggingface_hub is not installed, or the Hub does not give that file.
    """
    place = address(text)
    with reached(text) as hub:
        return Path(hub.hf_hub_download(place.repository, WEIGHTS, revision=place.revision or None))


@contextmanager
def reached(text: str) -> Iterator[Any]:
    """Yield huggingface_hub; what it says of a place that cannot be reached becomes one sentence.

    Args:
        text: the place, for the message.
    """
    try:
        import huggingface_hub as hub
        from huggingface_hub import errors
    except ImportError:
        raise DrumheadError(f"{text} needs huggingface_hub: pip install 'drumhead[hub]'") from None
    try:
        yield hub
    except errors.GatedRepoError:
        raise DrumheadError(
            f"{text}: its owner must grant access first; ask on its page, then 'hf auth login'"
        ) from None
    except errors.RepositoryNotFoundError:
        raise DrumheadError(f"{text} does not exist, or is private and needs 'hf auth login' or HF_TOKEN") from None
    except errors.RevisionNotFoundError:
        raise DrumheadError(f"{text}: there is no such revision; leave out @... for the main branch") from None
    except errors.RemoteEntryNotFoundError:
        raise DrumheadError(f"{text} holds no {WEIGHTS}; 'drumhead push' makes repositories that do") from None
    except errors.LocalTokenNotFoundError:
        raise DrumheadError(f"{text}: log in first with 'hf auth login', or set HF_TOKEN") from None
    except errors.LocalEntryNotFoundError:
        raise DrumheadError(f"{text}: the Hub cannot be reached and nothing of that name is in the cache") from None
    except errors.HfHubHTTPError as error:
        if error.response.status_code == 401:
            raise DrumheadError(f"{text}: log in first with 'hf auth login', or set HF_TOKEN") from None
        said = error.server_message or f"status {error.response.status_code}"
        raise DrumheadError(f"{text}: the Hub refuses ({said})") from None
    except (
        errors.HTTPError,  # pyright: ignore[reportPrivateImportUsage]  # httpx's or httpx2's: the Hub's library knows
        errors.OfflineModeIsEnabled,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DrumheadError(f"{text}: the Hub cannot be reached ({reason})") from None
    except ValueError as error:  # a page of a network that wants a password first, perhaps
        raise DrumheadError(f"{text}: what answers is no Hub ({str(error).splitlines()[0]})") from None
