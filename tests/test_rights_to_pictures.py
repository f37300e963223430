"""Who may send along the picture of a camera or an image entity."""

import pytest
from homeassistant.auth.const import GROUP_ID_ADMIN, GROUP_ID_READ_ONLY, GROUP_ID_USER
from homeassistant.auth.models import Group
from homeassistant.auth.permissions.types import PolicyType
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import Unauthorized, UnknownUser
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.ai_router.pictures import collect

from .cameras import DOOR, GARDEN, MAP, House, furnished


@pytest.fixture
async def house(hass: HomeAssistant) -> House:
    return await furnished(hass)


@pytest.fixture
async def owner(hass: HomeAssistant) -> None:
    """Make the first user, who owns everything, so that those after it do not."""
    await hass.auth.async_create_user("Owner", group_ids=[GROUP_ID_ADMIN])


async def context_of(hass: HomeAssistant, *groups: str) -> Context:
    """Make a user in these groups who asks."""
    return Context(user_id=(await hass.auth.async_create_user("Somebody", group_ids=list(groups))).id)


async def context_with(hass: HomeAssistant, policy: PolicyType) -> Context:
    """Make a user whose only group has this policy."""
    hass.auth._store._groups["own"] = Group(name="Own", policy=policy, id="own")
    return await context_of(hass, "own")


@pytest.mark.parametrize("group", [GROUP_ID_ADMIN, GROUP_ID_USER, GROUP_ID_READ_ONLY])
async def test_these_groups_may_see_all(hass: HomeAssistant, owner: None, house: House, group: str) -> None:
    assert len(await collect(hass, await context_of(hass, group), [DOOR, MAP], max_edge=64)) == 2


async def test_the_read_only_user_of_the_test_house(
    hass: HomeAssistant, house: House, hass_read_only_user: MockUser
) -> None:
    assert len(await collect(hass, Context(user_id=hass_read_only_user.id), [DOOR], max_edge=64)) == 1


@pytest.mark.parametrize("context", [None, Context()])
async def test_the_house_itself_may_see_all(hass: HomeAssistant, house: House, context: Context | None) -> None:
    assert len(await collect(hass, context, [DOOR, MAP], max_edge=64)) == 2


@pytest.mark.parametrize(
    "policy",
    [
        {"entities": {"entity_ids": {DOOR: True}}},
        {"entities": {"entity_ids": {DOOR: {"read": True}}}},
        {"entities": {"domains": {"camera": {"read": True}}}},
        {"entities": {"all": {"read": True}}},
    ],
)
async def test_a_policy_that_lets_in(hass: HomeAssistant, owner: None, house: House, policy: PolicyType) -> None:
    assert len(await collect(hass, await context_with(hass, policy), [DOOR], max_edge=64)) == 1


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"entities": {"entity_ids": {GARDEN: True, MAP: True}}},
        {"entities": {"entity_ids": {DOOR: {"control": True}, GARDEN: True, MAP: True}}},
        {"entities": {"domains": {"image": True}}},
    ],
)
@pytest.mark.parametrize("asked", [[DOOR], [MAP, GARDEN, DOOR]])
async def test_a_policy_that_keeps_out(
    hass: HomeAssistant, owner: None, house: House, policy: PolicyType, asked: list[str]
) -> None:
    context = await context_with(hass, policy)

    with pytest.raises(Unauthorized) as caught:
        await collect(hass, context, asked, max_edge=64)

    assert caught.value.context is context
    assert caught.value.permission == "read"
    assert house.door.asked == house.garden.asked == []


async def test_who_may_not_see_does_not_learn_what_exists(hass: HomeAssistant, owner: None, house: House) -> None:
    context = await context_with(hass, {"entities": {"entity_ids": {GARDEN: True}}})
    house.door._attr_available = False
    house.door.async_write_ha_state()

    refusals = []
    for entity_id in (DOOR, "camera.attic", "light.attic"):
        with pytest.raises(Unauthorized) as caught:
            await collect(hass, context, ["camera.nowhere", GARDEN, entity_id], max_edge=64)
        refusals.append(caught.value)
        with pytest.raises(Unauthorized) as caught:
            await collect(hass, context, [entity_id], max_edge=64)
        refusals.append(caught.value)

    assert {(type(refusal), str(refusal)) for refusal in refusals} == {(Unauthorized, "Unauthorized")}


async def test_an_unknown_user(hass: HomeAssistant, owner: None, house: House) -> None:
    with pytest.raises(UnknownUser):
        await collect(hass, Context(user_id="nobody"), [DOOR], max_edge=64)

    assert house.door.asked == []


@pytest.mark.parametrize("group", [GROUP_ID_ADMIN, GROUP_ID_USER])
async def test_a_user_who_was_deactivated(hass: HomeAssistant, owner: None, house: House, group: str) -> None:
    user = await hass.auth.async_create_user("Gone", group_ids=[group])
    await hass.auth.async_deactivate_user(user)

    with pytest.raises(Unauthorized):
        await collect(hass, Context(user_id=user.id), [DOOR], max_edge=64)

    assert house.door.asked == []
