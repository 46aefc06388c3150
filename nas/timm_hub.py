"""Networks of timm with the weights of its hub."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas import torchvision_door
from search_spaces.core.errors import NotFound, WrongUse

_HUB_SECONDS = 5.0
_SUFFIX = ".safetensors"


def name_and_file(text: str, whose: str) -> tuple[str, str | None]:
    """The parts of `NAME` or `NAME@FILE.safetensors`; `whose` begins an error's message.

    `WrongUse` where the file can hold code, `NotFound` where there is none.
    """
    name, at, file = text.partition("@")
    if not at:
        return name, None
    if Path(file).suffix != _SUFFIX:
        raise WrongUse(f"{whose}: {file} can hold code; convert it with safetensors.torch.save_file")
    if not Path(file).is_file():
        raise NotFound(f"{whose}: {file} does not exist; check the path behind the @")
    return name, file


def pretrained(name: str) -> Any:
    """The network with its published weights. `NotFound` where these are neither in the cache nor to be fetched."""
    timm = torchvision_door.import_behind("timm")
    try:
        with _cache_alone_without_hub():
            return timm.create_model(name, pretrained=True)
    except OSError as error:  # the hub's errors are among these
        raise NotFound(
            f"the weights of {name} could not be fetched ({type(error).__name__}); where there is no hub, give a local "
            "file"
        ) from error


@contextmanager
def _cache_alone_without_hub() -> Iterator[None]:
    """While entered, the hub's client looks in its cache alone if no hub answers: else it asks for most of a minute."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not answers(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def answers(url: str) -> bool:
    """Whether a server says anything within some seconds, an error included."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_HUB_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError, http.client.HTTPException):  # no answer, no address, an answer of something else
        return False
