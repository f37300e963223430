"""The simulated provider."""

import asyncio
from copy import replace
from io import BytesIO
from typing import Any

import orjson
import pytest
from PIL import Image as Pillow

from custom_components.ai_router.providers.demo import CHAT_MODEL, VISION_MODEL, Demo
from custom_components.ai_router.providers.registry import ProviderSetup
from custom_components.ai_router.routing.call import Finish, TextDelta, Usage
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass, Phase
from custom_components.ai_router.routing.model import Capability, Structure, Tool
from custom_components.ai_router.routing.money import Rates, per_million

from .asking import DOOR, LIGHT, asking, fail, hear, picture, results, turn, user, whole


def demo(name: str = "p", **options: Any) -> Demo:
    return Demo(ProviderSetup(name, "demo", options=options))


async def test_the_answer_comes_from_the_question() -> None:
    long = "x" * 100

    assert (await hear(demo(), asking(CHAT_MODEL))).text == 'Demo answer to "Is the door open?"'
    assert (await hear(demo(), asking(CHAT_MODEL, user(long)))).text == f'Demo answer to "{"x" * 60}"'


async def test_words_one_by_one_or_all_at_once() -> None:
    streamed = await hear(demo(), asking(CHAT_MODEL))
    one = await hear(demo(), whole(asking(CHAT_MODEL)))

    assert streamed.opened is not None
    assert len([event for event in streamed.events if isinstance(event, TextDelta)]) == 7
    assert len([event for event in one.events if isinstance(event, TextDelta)]) == 1
    assert streamed.text == one.text
    assert streamed.usage == one.usage == Usage(fresh_in=4, text_out=7)
    assert streamed.finish is Finish.STOP


async def test_an_answer_that_is_too_long_is_cut_and_says_so() -> None:
    answer = await hear(demo(), asking(CHAT_MODEL, max_output=2))

    assert (answer.text, answer.finish) == ("Demo answer", Finish.LENGTH)


@pytest.mark.parametrize(("form", "size"), [("JPEG", (640, 480)), ("PNG", (31, 17)), ("WEBP", (50, 60))])
async def test_it_looks_at_the_real_picture(form: str, size: tuple[int, int]) -> None:
    file = BytesIO()
    Pillow.new("RGB", size).save(file, form)

    answer = await hear(demo(), asking(VISION_MODEL, user("What is this?", picture(file.getvalue()))))

    assert answer.text == f"I see a {form} picture of {size[0]} x {size[1]} pixels."
    assert answer.usage is not None
    assert answer.usage.image_in > 0


async def test_two_pictures(jpeg: bytes) -> None:
    answer = await hear(demo(), asking(VISION_MODEL, user(picture(jpeg), picture(jpeg))))

    assert answer.text == " ".join(["I see a JPEG picture of 64 x 48 pixels."] * 2)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 broken"])
async def test_what_is_no_picture_is_a_failure(data: bytes) -> None:
    failure, _ = await fail(demo(), asking(VISION_MODEL, user(picture(data))))

    assert failure.cls is FailureClass.BAD_REQUEST


async def test_half_a_picture_is_a_failure() -> None:
    file = BytesIO()
    Pillow.effect_noise((200, 200), 90).save(file, "JPEG")
    half = file.getvalue()[: len(file.getvalue()) // 2]

    failure, _ = await fail(demo(), asking(VISION_MODEL, user(picture(half))))

    assert failure.cls is FailureClass.BAD_REQUEST


async def test_the_model_for_words_takes_no_picture(jpeg: bytes) -> None:
    failure, heard = await fail(demo(), asking(CHAT_MODEL, user("Look", picture(jpeg))))

    assert failure.cls is FailureClass.CAPABILITY
    assert heard.events == []


async def test_an_answer_of_a_shape() -> None:
    answer = await hear(demo(), asking(VISION_MODEL, structure=DOOR))

    assert orjson.loads(answer.text) == {"open": True}


async def test_an_answer_of_any_shape() -> None:
    fields = {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "least": {"type": "number", "minimum": 5},
        "one": {"enum": ["a", "b"]},
        "list": {"type": "array", "items": {"type": "boolean"}},
        "inner": {"type": "object", "properties": {"none": {"type": "null"}}},
        "either": {"type": ["boolean", "null"]},
        "any": True,
    }
    answer = await hear(
        demo(), asking(VISION_MODEL, structure=Structure("s", {"type": "object", "properties": fields}))
    )

    said = 'Demo answer to "Is the door open?"'
    assert orjson.loads(answer.text) == {
        "text": said,
        "count": 1,
        "least": 5,
        "one": "a",
        "list": [True],
        "inner": {"none": None},
        "either": True,
        "any": said,
    }


FAN = Tool("HassTurnOn", "", {"properties": {"name": {"type": "string"}, "speed": {"type": "integer", "minimum": 2}}})
SPELLED = user("Light on, please, and let Hass turn the fan on")


@pytest.mark.parametrize("stream", [True, False])
async def test_it_calls_the_tools_that_are_named_and_tells_what_they_answered(stream: bool) -> None:
    of = demo()
    call = asking(VISION_MODEL, SPELLED, tools=(LIGHT, FAN), stream=stream)

    asked = await hear(of, call)

    assert asked.finish is Finish.TOOLS
    assert asked.text == ""
    assert [(one.name, dict(one.arguments)) for one in asked.calls] == [
        ("light_on", {"room": "Light on, please, and let Hass turn the fan on"}),
        ("HassTurnOn", {"name": "Light on, please, and let Hass turn the fan on", "speed": 2}),
    ]
    assert len({one.id for one in asked.calls}) == 2
    assert asked.usage == Usage(fresh_in=10, text_out=5)

    told = replace(call, messages=(SPELLED, turn(asked, call.target), *results(asked)))
    answer = await hear(of, told)
    assert (answer.text, answer.calls, answer.finish) == (
        'light_on answered "done". HassTurnOn answered "done".',
        [],
        Finish.STOP,
    )

    # The next question is another one.
    again = await hear(of, replace(told, messages=(*told.messages, turn(answer, call.target), user("Light on"))))
    assert [one.name for one in again.calls] == ["light_on"]
    assert again.calls[0].id not in {one.id for one in asked.calls}


async def test_tools_that_are_not_named_are_not_called() -> None:
    answer = await hear(demo(), asking(VISION_MODEL, user("Is the light there?"), tools=(LIGHT, FAN)))

    assert (answer.calls, answer.finish) == ([], Finish.STOP)


async def test_it_may_break_off_behind_a_call() -> None:
    of = demo(success_rate=0, error="stream_cut")
    failure, heard = await fail(of, asking(VISION_MODEL, SPELLED, tools=(LIGHT, FAN)))

    assert (failure.phase, len(heard.calls)) == (Phase.STREAMING, 1)


async def outcomes(of: Demo, count: int) -> list[bool]:
    """Ask so many times; return which went well."""
    well = []
    for _ in range(count):
        try:
            await hear(of, asking(CHAT_MODEL))
        except AttemptFailed:
            well.append(False)
        else:
            well.append(True)
    return well


async def test_it_fails_as_often_as_it_is_told_to() -> None:
    assert not any(await outcomes(demo(success_rate=0), 50))
    assert all(await outcomes(demo(success_rate=1), 50))
    some = await outcomes(demo(success_rate=0.5), 200)
    assert 60 < sum(some) < 140
    assert await outcomes(demo(success_rate=0.5), 200) == some
    assert await outcomes(demo("another", success_rate=0.5), 200) != some


@pytest.mark.parametrize("error", list(FailureClass))
async def test_it_fails_with_the_error_it_is_told(error: FailureClass) -> None:
    failure, heard = await fail(demo(success_rate=0, error=error.value), asking(CHAT_MODEL))

    assert failure.cls is error
    assert (failure.phase is Phase.STREAMING) == bool(heard.text)
    assert (failure.phase is Phase.UNSENT) == (error in {FailureClass.NETWORK, FailureClass.TIMEOUT_CONNECT})


async def test_the_default_error_passes() -> None:
    failure, _ = await fail(demo(success_rate=0), asking(CHAT_MODEL))

    assert failure.cls is FailureClass.TRANSIENT


async def test_latency_comes_before_everything() -> None:
    slow = demo(latency=60)
    task = asyncio.create_task(hear(slow, asking(CHAT_MODEL)))
    await asyncio.sleep(0.05)

    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_requests_are_counted() -> None:
    counted = demo(success_rate=0.5)
    await outcomes(counted, 7)

    assert counted.requests == 7


async def test_models() -> None:
    chat, vision, embedding = await demo().models()

    assert (chat.id, vision.id, embedding.id) == ("demo-chat", "demo-vision", "demo-embed")
    assert embedding.caps == Capability.EMBEDDINGS
    assert chat.local
    assert vision.local
    assert chat.prices is not None
    assert chat.prices.free
    assert Capability.VISION not in chat.caps
    assert Capability.VISION | Capability.TOOLS | Capability.STRUCTURED in vision.caps


async def test_prices() -> None:
    chat, *_ = await demo(input_price=0.15, output_price=0.6).models()

    assert chat.prices is not None
    assert chat.prices.at(0, 0) == Rates.of(per_million("0.15"), per_million("0.6"))


async def test_the_probe_is_well_unless_nothing_ever_succeeds() -> None:
    await demo(success_rate=0.1).probe()

    with pytest.raises(AttemptFailed):
        await demo(success_rate=0).probe()
