"""Pictures that are no entity's: what media pickers choose, files in allowed folders, and allowed addresses.

Whatever is fetched is bounded in bytes and time. Of an address only the host is ever told: the rest may hold a secret.
"""

import os
import socket
import stat
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, override

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from homeassistant.core import HomeAssistant
from homeassistant.util.ssl import client_context
from yarl import URL

from .pictures import MAX_BYTES, Source, failure, mistake
from .providers.endpoint import EndpointProblem, InvalidEndpoint, base_url, is_in_the_house

CONTENT_ID: Final = "media_content_id"
_MEDIA: Final = "media-source://"
# The media source shows them under their entities' ids, and whoever asks needs the right to the entity.
_OF_ENTITIES: Final = tuple(f"{_MEDIA}{domain}/" for domain in ("camera", "image"))
_WEB: Final = ("http://", "https://")
_NEVER_ASKED: Final = (EndpointProblem.LINK_LOCAL, EndpointProblem.METADATA)
_SECONDS: Final = 10
_CHUNK: Final = 65_536


def entity_of(media: dict[str, Any]) -> str | None:
    """Return the camera or image entity that a picked medium shows; None where it is none."""
    content_id: str = media[CONTENT_ID]
    return next((content_id.removeprefix(prefix) for prefix in _OF_ENTITIES if content_id.startswith(prefix)), None)


def media_source(hass: HomeAssistant, media: dict[str, Any]) -> Source:
    """Return how a picked medium of this house is read. Raises `ServiceValidationError` for one of anywhere else."""
    content_id: str = media[CONTENT_ID]
    if not content_id.startswith(_MEDIA):
        raise mistake("media_not_local", name=_told(content_id))
    name = content_id.rpartition("/")[2] or content_id
    return Source(name, partial(_media, hass, content_id, name))


def file_source(hass: HomeAssistant, place: str, *, local_only: bool) -> Source:
    """Return how a file, or what is at an address, is read. Raises `ServiceValidationError` where it may not be."""
    if not place.lower().startswith(_WEB):
        name = Path(place).name
        return Source(name, partial(_allowed_file, hass, Path(hass.config.path(place)), place))
    try:
        url = URL(place)
        base_url(str(url.origin()))  # nothing but an address of a server
    except ValueError as err:
        never = isinstance(err, InvalidEndpoint) and err.code in _NEVER_ASKED
        raise mistake("url_never_asked" if never else "url_not_usable") from None
    host = url.host or ""
    if url.user or url.password:
        raise mistake("url_not_usable")
    if not hass.config.is_allowed_external_url(str(url)):
        raise mistake("url_not_allowed", host=host)
    if local_only and not is_in_the_house(host):
        raise mistake("url_not_local", host=host)
    return Source(host, partial(_download, url))


def _told(place: str) -> str:
    """Return how errors call what cannot be read: a path as it is, of an address only what kind it is of."""
    kind, found, _ = place.partition("://")
    return f"{kind}://…" if found else place


async def _media(hass: HomeAssistant, content_id: str, name: str) -> bytes:
    if "media_source" not in hass.config.components:
        raise failure("picture_failed", name=name, reason="media_source")
    # A house without media is spared the import.
    from homeassistant.components import media_source as component  # noqa: PLC0415 - see above

    try:
        media = await component.async_resolve_media(hass, content_id, None)
    except component.Unresolvable as err:
        raise failure("picture_failed", name=name, reason=str(err)) from err
    except Exception as err:  # a source's own; its text may carry an address and a password
        raise failure("picture_failed", name=name, reason=type(err).__name__) from err
    if media.path is None:
        raise mistake("media_not_local", name=name)
    return await hass.async_add_executor_job(_read, Path(media.path), name)


async def _allowed_file(hass: HomeAssistant, path: Path, place: str) -> bytes:
    return await hass.async_add_executor_job(_read_allowed, hass, path, place)


def _read_allowed(hass: HomeAssistant, path: Path, place: str) -> bytes:
    # What is opened is what was looked at, links and all.
    with suppress(OSError, RuntimeError, ValueError):
        path = path.resolve(strict=True)
    if not is_allowed_path(hass, path):
        raise mistake("path_not_allowed", path=_told(place))
    return _read(path, path.name)


def is_allowed_path(hass: HomeAssistant, path: Path) -> bool:
    """Say whether Home Assistant may use a path; it looks at the disk. False for what no file can be called."""
    try:
        return hass.config.is_allowed_path(str(path))
    except ValueError:
        return False


def _read(path: Path, name: str) -> bytes:
    """Read a file, if it is one: a pipe would be waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise failure("picture_not_readable", name=name)
        with os.fdopen(descriptor, "rb") as file:
            # One byte more tells that it is too large.
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as err:  # ValueError: no file can have such a name
        reason = getattr(err, "strerror", None) or type(err).__name__
        raise failure("picture_failed", name=name, reason=reason) from err


class _Guarded(AbstractResolver):
    """Resolves a host of the internet to addresses of the internet only, so that no name leads back into the house."""

    def __init__(self, host: str) -> None:
        self._house = is_in_the_house(host)
        self._resolver = ThreadedResolver()

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        good = [each for each in found if self._allows(each["host"])]
        if not good:
            raise OSError(None, "the host has an address that is not asked")
        return good

    def _allows(self, address: str) -> bool:
        try:
            base_url(f"http://[{address}]" if ":" in address else f"http://{address}")
        except InvalidEndpoint:
            return False
        return self._house or not is_in_the_house(address)

    @override
    async def close(self) -> None:
        await self._resolver.close()


async def _download(url: URL) -> bytes:
    """Fetch what is at an allowed address: no redirects, nobody's cookies, no more than a picture may have."""
    host = url.host or ""
    # Its own connector: the shared one asks any address that a name leads to.
    connector = TCPConnector(resolver=_Guarded(host), ssl=client_context(), force_close=True, limit=1)
    try:
        async with (
            ClientSession(connector=connector, timeout=ClientTimeout(_SECONDS)) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != HTTPStatus.OK:
                raise failure("picture_failed", name=host, reason=f"HTTP {response.status}")
            return await _bounded(response.content.iter_chunked(_CHUNK), host)
    except TimeoutError:
        raise failure("picture_failed", name=host, reason=f"{_SECONDS} s") from None
    except (ClientError, OSError) as err:
        raise failure("picture_failed", name=host, reason=type(err).__name__) from None


async def _bounded(chunks: Any, host: str) -> bytes:
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > MAX_BYTES:
            raise failure("picture_too_large", name=host, limit=str(MAX_BYTES // 1_000_000))
    return bytes(content)
