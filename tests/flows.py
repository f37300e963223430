"""Forms as a person goes through them. Everything that is shown is compared with the translations on the way."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self, override

import probatio
import voluptuous as vol
from aiohttp import web
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigSubentry,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowManager, FlowResultType
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.const import DOMAIN, SUBENTRY_PROVIDER
from tests.household import set_up

KEY = "sk-canary-7f3b91c2d4e8"

_EN = Path(__file__).parent.parent / "custom_components" / "ai_router" / "translations" / "en.json"
_PLACEHOLDER = re.compile(r"{(\w+)}")
# Home Assistant translates these itself.
_COMMON_ABORTS = frozenset({"reauth_successful", "reconfigure_successful", "single_instance_allowed"})


async def running(hass: HomeAssistant, *providers: ConfigSubentry, **options: Any) -> MockConfigEntry:
    """Set the entry up with providers and options."""
    entry = await set_up(hass, providers, options)
    await hass.async_block_till_done()
    return entry


@cache
def english() -> Mapping[str, Any]:
    """Return the translations."""
    return dict(json.loads(_EN.read_text(encoding="utf-8")))


class Dialog:
    """One flow. `result` is what is shown now."""

    def __init__(self, manager: FlowManager[Any, Any, Any], texts: Mapping[str, Any]) -> None:
        """Compare what a manager's flow shows with a part of the translations."""
        self._manager = manager
        self._texts = texts
        self.result: dict[str, Any] = {}

    @classmethod
    async def set_up(cls, hass: HomeAssistant) -> Self:
        """Begin to set up the integration."""
        dialog = cls(hass.config_entries.flow, english()["config"])
        return await dialog._begin(DOMAIN, source=SOURCE_USER)

    @classmethod
    async def options(cls, hass: HomeAssistant, entry: MockConfigEntry, begin_with: str = "settings") -> Self:
        """Begin to change the options, with what is stored or with a preset."""
        dialog = await cls(hass.config_entries.options, english()["options"])._begin(entry.entry_id)
        assert set(dialog.result["menu_options"]) == set(dialog._texts["step"]["init"]["menu_options"])
        return await dialog.answer(next_step_id=begin_with)

    @classmethod
    async def add(cls, hass: HomeAssistant, entry: MockConfigEntry, kind: str | None = None) -> Self:
        """Begin to add a provider, of a kind if it is given."""
        dialog = cls(hass.config_entries.subentries, english()["config_subentries"][SUBENTRY_PROVIDER])
        await dialog._begin((entry.entry_id, SUBENTRY_PROVIDER), source=SOURCE_USER)
        return dialog if kind is None else await dialog.answer(kind=kind)

    @classmethod
    async def change(
        cls, hass: HomeAssistant, entry: MockConfigEntry, provider_id: str, what: str = "connection"
    ) -> Self:
        """Begin to change a provider: its connection, or one of its models."""
        dialog = cls(hass.config_entries.subentries, english()["config_subentries"][SUBENTRY_PROVIDER])
        await dialog._begin((entry.entry_id, SUBENTRY_PROVIDER), source=SOURCE_RECONFIGURE, subentry_id=provider_id)
        if dialog.result["type"] is not FlowResultType.MENU:
            return dialog
        assert set(dialog.result["menu_options"]) == set(dialog._texts["step"]["reconfigure"]["menu_options"])
        return await dialog.answer(next_step_id=what)

    @classmethod
    async def new(cls, hass: HomeAssistant, entry: MockConfigEntry, subentry_type: str) -> Self:
        """Begin to add a pool or a rule."""
        dialog = cls(hass.config_entries.subentries, english()["config_subentries"][subentry_type])
        return await dialog._begin((entry.entry_id, subentry_type), source=SOURCE_USER)

    @classmethod
    async def alter(cls, hass: HomeAssistant, entry: MockConfigEntry, subentry_id: str) -> Self:
        """Begin to change a pool or a rule."""
        subentry_type = entry.subentries[subentry_id].subentry_type
        dialog = cls(hass.config_entries.subentries, english()["config_subentries"][subentry_type])
        handler = (entry.entry_id, subentry_type)
        return await dialog._begin(handler, source=SOURCE_RECONFIGURE, subentry_id=subentry_id)

    @classmethod
    async def repair(cls, hass: HomeAssistant, issue: ir.IssueEntry) -> Self:
        """Begin to mend an issue."""
        assert issue.translation_key is not None
        manager = repairs_flow_manager(hass)
        assert manager is not None
        dialog = cls(manager, english()["issues"][issue.translation_key]["fix_flow"])
        return await dialog._begin(DOMAIN, issue_id=issue.issue_id)

    @classmethod
    async def asked_again(cls, hass: HomeAssistant) -> Self:
        """Open the one re-authentication that waits for somebody."""
        (flow,) = (
            flow
            for flow in hass.config_entries.flow.async_progress()
            if flow["context"]["source"] == SOURCE_REAUTH and flow["handler"] == DOMAIN
        )
        dialog = cls(hass.config_entries.flow, english()["config"])
        dialog.result = dict(flow)
        return await dialog.look_again()

    async def _begin(self, handler: Any, **context: Any) -> Self:
        return await self._see(await self._manager.async_init(handler, context=context))

    async def answer(self, **fields: Any) -> Self:
        """Send the form with these fields, as JSON brings them. Raises `InvalidData`."""
        return await self._see(
            await self._manager.async_configure(self.result["flow_id"], json.loads(json.dumps(fields)))
        )

    async def look_again(self) -> Self:
        """Load the page anew."""
        return await self._see(await self._manager.async_configure(self.result["flow_id"]))

    async def submit(self, **changes: Any) -> Self:
        """Send the form as it is shown, with these changes; None empties a field."""
        return await self.answer(**_merged(self.shown, changes))

    @property
    def step(self) -> str:
        """Return the step, or how the flow has ended."""
        result = self.result
        match result["type"]:
            case FlowResultType.FORM:
                return str(result["step_id"])
            case FlowResultType.ABORT:
                return str(result["reason"])
            case other:
                return str(other)

    @property
    def errors(self) -> dict[str, str]:
        """Return the errors by field."""
        return self.result.get("errors") or {}

    @property
    def shown(self) -> dict[str, Any]:
        """Return what the form is filled in with."""
        return _shown(self.fields)

    @property
    def fields(self) -> list[dict[str, Any]]:
        """Return the fields as the browser gets them."""
        return _fields(self.result["data_schema"])

    def field(self, name: str) -> dict[str, Any]:
        """Return one field."""
        return next(field for field in self.fields if field["name"] == name)

    def options_of(self, name: str) -> list[str]:
        """Return what can be chosen in a field."""
        return list(self.field(name)["selector"]["select"]["options"])

    async def _see(self, result: Any) -> Self:
        self.result = dict(result)
        if self.result["type"] not in {FlowResultType.FORM, FlowResultType.MENU}:
            await self._manager.hass.async_block_till_done()  # what has ended is followed by the entry's listener
        match self.result["type"]:
            case FlowResultType.FORM:
                self._compare_form()
            case FlowResultType.ABORT if self.result["reason"] not in _COMMON_ABORTS:
                self._compare(self._texts["abort"][self.result["reason"]])
        said = {key: value for key, value in self.result.items() if key != "data_schema"}
        assert KEY not in json.dumps(said, default=repr)
        return self

    def _compare_form(self) -> None:
        assert KEY not in json.dumps(self.fields)
        texts = self._texts["step"][self.result["step_id"]]
        self._compare(texts["title"], texts["description"])
        self._compare_fields(self.fields, texts)
        for field, error in self.errors.items():
            assert field == "base" or field in {each["name"] for each in self.fields}, f"{field} is not in the form"
            self._compare(self._texts["error"][error])

    def _compare_fields(self, fields: list[dict[str, Any]], texts: Mapping[str, Any]) -> None:
        if "data" not in texts and "sections" not in texts:
            return  # the fields bear names of the household's own
        for field in fields:
            name = field["name"]
            if field.get("type") == "expandable":
                section = texts["sections"][name]
                self._compare(section["name"], section["description"])
                self._compare_fields(field["schema"], section)
                continue
            self._compare(texts["data"][name], texts["data_description"][name])
            select = field["selector"].get("select", {})
            if "translation_key" in select:
                assert set(select["options"]) == set(english()["selector"][select["translation_key"]]["options"])

    def _compare(self, *texts: str) -> None:
        placeholders = self.result.get("description_placeholders") or {}
        for text in texts:
            assert text
            assert set(_PLACEHOLDER.findall(text)) <= placeholders.keys(), text


def _fields(schema: vol.Schema | None) -> list[dict[str, Any]]:
    listed = [] if schema is None else probatio.to_field_list(schema, custom_serializer=cv.custom_serializer)
    return list(json.loads(json.dumps(listed)))


def _shown(fields: list[dict[str, Any]]) -> dict[str, Any]:
    shown = {}
    for field in fields:
        if field.get("type") == "expandable":
            shown[field["name"]] = _shown(field["schema"])
        elif "suggested_value" in (field.get("description") or {}):
            shown[field["name"]] = field["description"]["suggested_value"]
        elif "default" in field:
            shown[field["name"]] = field["default"]
    return shown


def _merged(shown: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**shown, **changes}
    for name, value in changes.items():
        if isinstance(value, dict):
            merged[name] = _merged(shown.get(name, {}), value)
    return {name: value for name, value in merged.items() if value is not None}


class OddServer:
    """Answers every request in the same way, whatever it is."""

    def __init__(
        self, status: int = 200, body: str = "", content_type: str = "application/json", **headers: str
    ) -> None:
        """Decide on the answer."""
        self.asked = 0
        self._answer: dict[str, Any] = {
            "status": status,
            "text": body,
            "content_type": content_type,
            "headers": headers,
        }
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        """Listen on the loopback."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        # Handlers end when their caller goes away.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.05, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, _: web.Request) -> web.StreamResponse:
        self.asked += 1
        return await self.respond()

    async def respond(self) -> web.StreamResponse:
        """Answer one request."""
        return web.Response(**self._answer)


class Silent(OddServer):
    """Takes connections and never says a word."""

    @override
    async def respond(self) -> web.StreamResponse:
        """Wait for ever."""
        await asyncio.Event().wait()
        raise AssertionError


def texts_in(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yield every text of a part of the translations."""
    for value in tree.values():
        if isinstance(value, dict):
            yield from texts_in(value)
        else:
            yield value
