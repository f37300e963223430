"""Hands pictures to the AI Task entities that the router asks: as long as the call, to that call, and once."""

from typing import override

from homeassistant.components.media_player.errors import BrowseError
from homeassistant.components.media_source import (
    BrowseMediaSource,
    MediaSource,
    MediaSourceItem,
    PlayMedia,
    Unresolvable,
)
from homeassistant.core import HomeAssistant

from .ai_task_target import hand_out
from .const import DOMAIN


async def async_get_media_source(hass: HomeAssistant) -> Pictures:  # noqa: ARG001 - the platform's signature
    """Set up the media source."""
    return Pictures(DOMAIN)


class Pictures(MediaSource):
    """Pictures on their way. There is nothing to browse, and no address to fetch them from."""

    name = "AI Router"

    @override
    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        """Return a picture to the call that it was made for. Raises `Unresolvable` for everybody else."""
        picture = hand_out(item.identifier)
        if picture is None:
            raise Unresolvable(translation_domain=DOMAIN, translation_key="picture_not_for_you")
        return PlayMedia("", picture.mime, path=picture.path)

    @override
    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        """Refuse: pictures are seen by whom they are sent to. Raises `BrowseError`."""
        raise BrowseError(translation_domain=DOMAIN, translation_key="pictures_not_browsable")
