"""What the live check says, and that everything can be mended."""

from base64 import b64encode
from typing import override

import pytest
from aiohttp import ClientSession
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.credentials import Vault
from custom_components.ai_router.flows import provider_check
from custom_components.ai_router.flows.provider_check import FieldProblem
from custom_components.ai_router.providers.demo import Demo
from custom_components.ai_router.providers.endpoint import EndpointProblem
from custom_components.ai_router.providers.registry import Kind, Need, ProviderSetup
from custom_components.ai_router.redaction import Redactor
from custom_components.ai_router.routing.failures import AttemptFailed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import Capability
from tests.fakes.openai_compatible import FakeOpenAI
from tests.flows import KEY, Dialog, OddServer, Silent

from .steps import provider_id, stored


@pytest.mark.parametrize(
    ("status", "body", "content_type", "errors", "detail"),
    [
        (
            401,
            '{"error": {"message": "bad key", "code": "invalid_api_key"}}',
            "application/json",
            {"api_key": "invalid_auth"},
            "bad key",
        ),
        (200, "<!DOCTYPE html><html>Router log-in</html>", "text/html", {"url": "not_ai_server"}, "a web page"),
        (200, '{"hello": "world"}', "application/json", {"url": "not_ai_server"}, "JSON of another kind"),
        (404, "<html>Not found</html>", "text/html", {"url": "not_ai_server"}, "HTTP 404"),
        (404, '{"error": "no /models here"}', "application/json", {"url": "not_ai_server"}, "no /models here"),
        (302, "", "text/plain", {"url": "not_ai_server"}, "redirects are not followed"),
        (402, '{"error": {"message": "top up", "code": 402}}', "application/json", {"base": "no_credit"}, "top up"),
        (503, '{"error": {"message": "loading"}}', "application/json", {"base": "unknown"}, "loading"),
        (200, '{"data": []}', "application/json", {"base": "no_models"}, None),
        (200, '{"data": [{"id": "whisper-1"}]}', "application/json", {"base": "no_models"}, None),
    ],
)
async def test_what_a_server_answers_is_told_at_its_field_and_can_be_mended(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    server: FakeOpenAI,
    status: int,
    body: str,
    content_type: str,
    errors: dict[str, str],
    detail: str | None,
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    async with OddServer(status, body, content_type) as odd:
        await dialog.submit(name="Cloud", url=odd.url, api_key=KEY, local=True)

        assert odd.asked
        assert (dialog.step, dialog.errors) == ("openai_compatible", errors)
        assert (detail or "") in (dialog.result["description_placeholders"] or {}).get("detail", "")
        assert dialog.shown == {"name": "Cloud", "url": odd.url, "local": True}

    await dialog.submit(url=server.url, api_key=KEY)

    assert (await dialog.submit()).step == "create_entry"


class Failing(Demo):
    """Fails its probe as it is told to."""

    failure: FailureClass

    @override
    async def probe(self) -> None:
        raise AttemptFailed(Failure(self.failure, Phase.SENT, "so it is"))


_FIELDS = {
    FailureClass.NETWORK: ("url", "cannot_connect"),
    **dict.fromkeys(
        (FailureClass.TIMEOUT_CONNECT, FailureClass.TIMEOUT_FIRST_TOKEN, FailureClass.TIMEOUT_IDLE),
        ("url", "no_answer"),
    ),
    FailureClass.MALFORMED: ("url", "not_ai_server"),
    FailureClass.MODEL_MISSING: ("url", "not_ai_server"),
    FailureClass.CREDENTIAL: ("api_key", "invalid_auth"),
    FailureClass.BILLING: ("base", "no_credit"),
}


@pytest.mark.parametrize("failure", FailureClass)
async def test_every_failure_has_its_field(failure: FailureClass) -> None:
    kind = Kind("failing", Failing, Need.REQUIRED, Need.OPTIONAL)
    Failing.failure = failure
    setup = ProviderSetup(id="1", kind=kind.id)
    async with ClientSession() as session:
        if failure in {FailureClass.RATE_LIMIT, FailureClass.QUOTA}:
            assert await provider_check.listed_models(kind, setup, session, Redactor()) == {}
            return
        with pytest.raises(FieldProblem) as problem:
            await provider_check.listed_models(kind, setup, session, Redactor())

    assert (problem.value.field, problem.value.error) == _FIELDS.get(failure, ("base", "unknown"))
    # What is said in our own words has none of somebody else's in it.
    assert problem.value.placeholders == ({} if problem.value.error == "no_answer" else {"detail": "so it is"})


@pytest.mark.parametrize("repeated", [KEY, b64encode(KEY.encode()).decode()])
async def test_a_server_that_repeats_the_key_does_not_bring_it_to_light(
    hass: HomeAssistant, entry: MockConfigEntry, repeated: str
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    async with OddServer(500, f'{{"error": {{"message": "what is {repeated}?"}}}}') as odd:
        await dialog.submit(name="Cloud", url=odd.url, api_key=KEY)

    assert dialog.errors == {"base": "unknown"}
    detail = dialog.result["description_placeholders"]["detail"]
    assert detail.startswith("what is ")
    assert repeated[:20] not in detail
    assert entry.runtime_data.redactor.redact(KEY) == KEY  # what may be wrong is hidden no longer than it is used


async def test_nobody_there(hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI) -> None:
    await server.stop()
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY)

    assert dialog.errors == {"url": "cannot_connect"}
    assert "refused" in dialog.result["description_placeholders"]["detail"]

    await server.start()
    # The key need not be typed again, though the browser never gets it.
    await dialog.submit()
    await dialog.submit()

    assert dialog.step == "create_entry"
    assert await Vault(hass).decrypt(stored(entry, "Cloud")["credential"]) == KEY


async def test_nobody_answers_in_time(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_check, "_SECONDS", 0.2)
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    async with Silent() as silent:
        await dialog.submit(name="Cloud", url=silent.url, api_key=KEY)

    assert (silent.asked, dialog.errors) == (1, {"url": "no_answer"})

    monkeypatch.undo()

    assert (await dialog.submit(url=server.url)).step == "models"


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limit_exceeded"), (429, "insufficient_quota_today")])
async def test_a_server_that_only_wants_a_rest_can_be_added(
    hass: HomeAssistant, entry: MockConfigEntry, status: int, code: str
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    async with OddServer(status, f'{{"error": {{"message": "slow down", "code": "{code}"}}}}') as odd:
        await dialog.submit(name="Cloud", url=odd.url, api_key=KEY)

    assert (dialog.step, dialog.options_of("models"), dialog.shown["models"]) == ("models", [], [])

    await dialog.submit(models=["gpt-4o-mini"])

    (model,) = entry.runtime_data.router.config.providers[provider_id(entry, "Cloud")].models
    assert (model.id, model.local, model.prices) == ("gpt-4o-mini", False, None)
    assert Capability.CHAT | Capability.VISION in model.caps


@pytest.mark.parametrize(
    ("url", "field", "problem"),
    [
        (" ", "url", EndpointProblem.EMPTY),
        ("http://a b", "url", EndpointProblem.NOT_AN_ADDRESS),
        ("ftp://192.168.1.2", "url", EndpointProblem.SCHEME),
        ("http://me:secret@192.168.1.2", "url", EndpointProblem.USER_PART),
        ("http://192.168.1.2/v1?a=b", "url", EndpointProblem.QUERY),
        ("http://169.254.1.1", "url", EndpointProblem.LINK_LOCAL),
        ("http://metadata.google.internal", "url", EndpointProblem.METADATA),
        ("http://api.example.com", "url", EndpointProblem.KEY_OVER_HTTP),
    ],
)
async def test_addresses_that_are_not_used(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, url: str, field: str, problem: EndpointProblem
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=url, api_key=KEY)

    assert (dialog.step, dialog.errors) == ("openai_compatible", {field: problem.value})
    assert dialog.shown["url"] == url

    await dialog.submit(url=server.url, api_key=KEY)

    assert dialog.step == "models"
