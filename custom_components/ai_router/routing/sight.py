"""Whether a model has seen the pictures it was sent: some servers take them, drop them, and let the model make it up."""

from collections.abc import Callable, Iterable

from .call import Usage
from .model import Image, Message, Text

type LeastTokens = Callable[[int, int], int]
"""The fewest tokens that a picture of so many pixels (width, height) counts for."""

type PictureTokens = Callable[[str, int, int], int]
"""The tokens that a model (its id) counts for a picture of so many pixels (width, height)."""

# No tokenizer makes longer tokens of whole texts (characters).
_LONGEST_TOKEN = 12


def overlooked(messages: Iterable[Message], usage: Usage, least: LeastTokens) -> bool:
    """Say whether the provider counted less than its pictures and the text come to at the very least.

    Never true where a picture was read; behind a long text, a dropped one goes unnoticed.
    """
    pictures = text = 0
    for message in messages:
        for part in message.parts:
            if isinstance(part, Image):
                pictures += least(part.width, part.height)
            elif isinstance(part, Text):
                text += len(part.text) // _LONGEST_TOKEN
    return bool(pictures) and not usage.image_in and usage.input_tokens < pictures + text
