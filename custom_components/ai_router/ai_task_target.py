"""An AI Task entity of another integration as a provider: the router asks it as an automation would.

It answers in one piece and tells no usage; what a call costs is what the household says. It must not lead back to the
router: our own entities are never asked, and an entity is not asked again from within its own answer.
"""

import os
import secrets
import tempfile
from asyncio import Future, shield
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiohttp import ClientError, ClientSession
from homeassistant.const import ATTR_SUPPORTED_FEATURES, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.json import json_dumps

from .ai_task_failures import failure_of
from .ai_task_words import instructions, pictures, structure
from .const import DOMAIN, Conf
from .flows.fields import named
from .providers.conversation import unsent
from .providers.registry import Kind, Need, Option, ProviderSetup
from .routing.call import Call, Event, Finish, Finished, Opened, TextDelta
from .routing.failures import AttemptFailed, Billed, Failure, FailureClass, Phase
from .routing.model import Capability, Image, Model, Op

AI_TASK: Final = "ai_task"
ENTITY: Final = "entity"
_GENERATE_DATA, _SUPPORT_ATTACHMENTS = 1, 2
_FIRST_WORD_SECONDS: Final = 180
_TOLD: Final = Capability.VISION | Capability.TOOLS | Capability.STRUCTURED


class Picture(NamedTuple):
    """A picture on its way to an entity: a file that is there as long as the call."""

    path: Path
    mime: str


@dataclass(eq=False, slots=True)
class _Ongoing:
    """One call of an entity: what may be fetched from within it, each once; whether it has ended, or led back to us."""

    entity_id: str
    pictures: dict[str, Picture] = field(default_factory=dict)
    over: bool = False
    looped: bool = False


# Whatever an entity does is done in the context of its call. Timers and tasks that it leaves behind are too: they are
# told apart by `over`.
_CALLS: ContextVar[tuple[_Ongoing, ...]] = ContextVar(f"{DOMAIN}_ai_task_calls", default=())


def hand_out(picture_id: str) -> Picture | None:
    """Return a picture to the call that it was made for, and to nobody else; once."""
    for ongoing in _CALLS.get():
        if not ongoing.over and picture_id in ongoing.pictures:
            return ongoing.pictures.pop(picture_id)
    return None


def ai_task_kind(hass: HomeAssistant) -> Kind:
    """Describe this kind of provider."""

    def build(setup: ProviderSetup, session: ClientSession) -> AiTaskTarget:  # noqa: ARG001 - as all kinds
        return AiTaskTarget(hass, setup)

    return Kind(
        AI_TASK,
        build,
        Need.NONE,
        Need.NONE,
        local_choice=True,
        options=lambda: (Option(ENTITY, ENTITY, named(entities(hass)), required=True),),
        limits={Conf.FIRST_TOKEN_TIMEOUT.value: _FIRST_WORD_SECONDS},
        chosen=False,
        call_price=True,
    )


def entities(hass: HomeAssistant) -> dict[str, str]:
    """Return the AI Task entities of other integrations that generate data: names by what is stored of them.

    That is the registry's id, so that an entity may be renamed; its own id where it is not in the registry.
    """
    registry = er.async_get(hass)
    found: dict[str, str] = {}
    for state in hass.states.async_all(AI_TASK):
        entry = registry.async_get(state.entity_id)
        if (entry is None or entry.platform != DOMAIN) and _features(state.attributes) & _GENERATE_DATA:
            found[state.entity_id if entry is None else entry.id] = state.name
    return found


def _features(attributes: Mapping[str, Any]) -> int:
    features = attributes.get(ATTR_SUPPORTED_FEATURES)
    return features if isinstance(features, int) else 0


class AiTaskTarget:
    """One AI Task entity."""

    def __init__(self, hass: HomeAssistant, setup: ProviderSetup) -> None:
        """Take the entity that was chosen; it is looked for anew at each call."""
        self._hass = hass
        self._entity = str(setup.options.get(ENTITY, ""))
        self._local = bool(setup.options.get(Conf.LOCAL))

    async def attempt(self, call: Call) -> AsyncGenerator[Event]:
        """Ask the entity, and yield its answer. Raises `AttemptFailed`."""
        entity_id, features = self._found()
        seen = pictures(call.messages)
        _check(call, features, seen)
        for ongoing in _CALLS.get():
            if not ongoing.over and ongoing.entity_id == entity_id:
                ongoing.looped = True
                raise unsent(
                    FailureClass.CAPABILITY, f"{entity_id} has asked the router, which must not ask it in turn"
                )
        data = await self._ask(entity_id, call, seen)
        yield Opened()
        yield TextDelta(_written(data))
        yield Finished(Finish.STOP)

    async def models(self) -> Sequence[Model]:
        """Describe the entity as the one model there is, also while it is not available. Raises `AttemptFailed`."""
        entity_id, features = self._found(available=False)
        caps = Capability.CHAT | Capability.STRUCTURED
        if features & _SUPPORT_ATTACHMENTS:
            caps |= Capability.VISION
        return [Model(entity_id, caps, local=self._local, told=_TOLD)]

    async def probe(self) -> None:
        """Look whether the entity is there; nobody asks it anything. Raises `AttemptFailed`."""
        self._found()

    def _found(self, *, available: bool = True) -> tuple[str, int]:
        """Return the entity's id and its features as they are now. Raises `AttemptFailed`."""
        hass = self._hass
        registry = er.async_get(hass)
        entry = registry.async_get(self._entity)
        entity_id = self._entity if entry is None else entry.entity_id
        if entry is not None and entry.platform == DOMAIN:
            raise unsent(FailureClass.CAPABILITY, f"{entity_id} is the router's own")
        state = hass.states.get(entity_id)
        if state is None and entry is None and hass.is_running:
            raise _not_sent(FailureClass.MODEL_MISSING, f"the entity {entity_id} is gone")
        there = state is not None and (state.state != STATE_UNAVAILABLE or not available)
        if state is None or not there or AI_TASK not in hass.config.components:
            raise _not_sent(FailureClass.NETWORK, f"{entity_id} is not available")
        return entity_id, _features(state.attributes)

    async def _ask(self, entity_id: str, call: Call, seen: Sequence[Image]) -> Any:
        # It is imported already where it has an entity, and never needed where it has none.
        from homeassistant.components.ai_task import async_generate_data  # noqa: PLC0415 - see above

        text, wanted = instructions(call.messages), call.structure
        ongoing = _Ongoing(entity_id)
        files = self._hass.async_add_executor_job(_lay_out, seen) if seen else None
        try:
            attachments = [] if files is None else _offer(ongoing, await _laid_out(files))
            token = _CALLS.set((*_CALLS.get(), ongoing))
            try:
                result = await async_generate_data(
                    self._hass,
                    task_name="AI Router" if wanted is None else wanted.name,
                    entity_id=entity_id,
                    instructions=text,
                    structure=None if wanted is None else structure(wanted.schema),
                    attachments=attachments or None,
                )
            finally:
                _CALLS.reset(token)
        except Exception as err:  # whatever the loop has made of itself on its way back; all else is sorted out below
            if ongoing.looped:
                # Once more would go the same way.
                detail = f"{entity_id} has asked the router for the answer"
                raise AttemptFailed(Failure(FailureClass.CAPABILITY, Phase.SENT, detail)) from None
            if isinstance(err, HomeAssistantError | ClientError | OSError):
                raise AttemptFailed(failure_of(err)) from None
            raise
        finally:
            ongoing.over = True
            if files is not None:
                self._take_away(files)
        return result.data

    def _take_away(self, files: Future[list[Picture]]) -> None:
        """Delete the pictures; a cancel may have come while they were written."""

        def delete(written: Future[list[Picture]]) -> None:
            if not written.cancelled() and written.exception() is None:
                self._hass.async_add_executor_job(_delete, [picture.path for picture in written.result()])

        if files.done():
            delete(files)
        else:
            files.add_done_callback(delete)


def _check(call: Call, features: int, seen: Sequence[Image]) -> None:
    """Raise `AttemptFailed` for what an entity cannot do."""
    if call.op is not Op.CHAT or not features & _GENERATE_DATA:
        raise unsent(FailureClass.CAPABILITY, "this entity cannot do that")
    if call.tools:
        raise unsent(FailureClass.CAPABILITY, "an AI Task entity calls no tools")
    if seen and not features & _SUPPORT_ATTACHMENTS:
        raise unsent(FailureClass.CAPABILITY, "this entity takes no pictures")


async def _laid_out(files: Future[list[Picture]]) -> list[Picture]:
    try:
        return await shield(files)
    except OSError, ValueError:
        pass
    raise unsent(FailureClass.BAD_REQUEST, "a picture could not be handed over")


def _lay_out(seen: Sequence[Image]) -> list[Picture]:
    """Write pictures into files that only Home Assistant may read. Blocks."""
    written: list[Picture] = []
    try:
        for image in seen:
            content = image.load()
            handle, path = tempfile.mkstemp(prefix=f"{DOMAIN}_", suffix=f".{image.mime.rpartition('/')[2]}")
            written.append(Picture(Path(path), image.mime))
            with os.fdopen(handle, "wb") as file:
                file.write(content)
    except BaseException:
        _delete([picture.path for picture in written])
        raise
    return written


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _offer(ongoing: _Ongoing, files: Iterable[Picture]) -> list[dict[str, str]]:
    """Make pictures available to a call, under ids that nobody can guess."""
    attachments = []
    for picture in files:
        picture_id = secrets.token_urlsafe(24)
        ongoing.pictures[picture_id] = picture
        where = f"media-source://{DOMAIN}/{picture_id}"
        attachments.append({"media_content_id": where, "media_content_type": picture.mime})
    return attachments


def _written(data: Any) -> str:
    if isinstance(data, str):
        return data
    try:
        return "" if data is None else json_dumps(data)
    except TypeError:
        detail = f"the entity answered with {type(data).__name__}, which is no data"
    raise AttemptFailed(Failure(FailureClass.INVALID_ANSWER, Phase.SENT, detail))


def _not_sent(cls: FailureClass, detail: str) -> AttemptFailed:
    return AttemptFailed(Failure(cls, Phase.UNSENT, detail, billed=Billed.NO))
