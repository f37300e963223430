"""Who lives here: the first user, more users, and how they log in."""

from collections.abc import Mapping
from http import HTTPStatus

import aiohttp

CLIENT = "http://127.0.0.1/"


class LoginFailed(Exception):
    """Home Assistant did not let the user in."""


async def onboard(session: aiohttp.ClientSession, url: str, name: str, password: str) -> bool:
    """Create the first user, an admin, if there is none yet; return whether there was none."""
    user = {"name": name.capitalize(), "username": name, "password": password, "client_id": CLIENT, "language": "en"}
    async with session.post(f"{url}/api/onboarding/users", json=user) as response:
        return response.status == HTTPStatus.OK


async def login(session: aiohttp.ClientSession, url: str, name: str, password: str) -> dict[str, str]:
    """Return the tokens of a user: `access_token` (good for 30 minutes) and `refresh_token`. Raises LoginFailed."""
    flow = await _post(
        session,
        f"{url}/auth/login_flow",
        {"client_id": CLIENT, "handler": ["homeassistant", None], "redirect_uri": CLIENT},
    )
    answer = {"client_id": CLIENT, "username": name, "password": password}
    result = await _post(session, f"{url}/auth/login_flow/{flow['flow_id']}", answer)
    if result["type"] != "create_entry":
        raise LoginFailed(f"Home Assistant refuses the user {name}: {result.get('errors')}")
    form = {"client_id": CLIENT, "grant_type": "authorization_code", "code": result["result"]}
    async with session.post(f"{url}/auth/token", data=form) as response:
        tokens: dict[str, str] = await response.json()
        return tokens


async def _post(session: aiohttp.ClientSession, url: str, body: Mapping[str, object]) -> dict[str, str]:
    async with session.post(url, json=body) as response:
        if response.status != HTTPStatus.OK:
            raise LoginFailed(f"{response.status} from {response.url.path}: {await response.text()}")
        answer: dict[str, str] = await response.json()
        return answer
