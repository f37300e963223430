"""Its entities. What each was asked is kept in `TASKS`, by its name; what it does is a function in `DEEDS`."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, override

from homeassistant.components.ai_task import AITaskEntity, AITaskEntityFeature, GenDataTask, GenDataTaskResult
from homeassistant.components.conversation import ChatLog
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

TASKS: dict[str, list[GenDataTask]] = {}
PICTURES: list[tuple[Path, str, bytes]] = []
DEEDS: dict[str, Callable[[GenDataTask], Awaitable[Any]]] = {}
ENTITIES: dict[str, Oracle] = {}


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    async_add_entities(Oracle(name, features) for name, features in entry.data["oracles"].items())


class Oracle(AITaskEntity):
    _attr_should_poll = False

    def __init__(self, name: str, features: int) -> None:
        self._attr_name = name
        self._attr_unique_id = name
        self._attr_supported_features = AITaskEntityFeature(features)
        ENTITIES[name] = self

    @override
    async def _async_generate_data(self, task: GenDataTask, chat_log: ChatLog) -> GenDataTaskResult:
        name = str(self._attr_name)
        TASKS.setdefault(name, []).append(task)
        for attachment in task.attachments or ():
            content = await self.hass.async_add_executor_job(attachment.path.read_bytes)
            PICTURES.append((attachment.path, attachment.mime_type, content))
        data = await DEEDS[name](task) if name in DEEDS else f"{name} has spoken"
        return GenDataTaskResult(chat_log.conversation_id, data)
