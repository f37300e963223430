"""What a model can do, guessed from its name, for servers whose model list does not say.

The household can correct every guess. Names are compared in lower case.
"""

from ..routing.model import Capability

CHAT = Capability.CHAT | Capability.STREAMING | Capability.STRUCTURED | Capability.TOOLS

# Families that take pictures in every size, by a piece of the name.
_SEES = (
    "claude-",
    "deepseek-flash",
    "gemini-",
    "gemma-3",
    "gemma-4",
    "gemma3",
    "gemma4",
    "gpt-4.1",
    "gpt-4o",
    "gpt-5",
    "gpt-6",
    "grok-4",
    "internvl",
    "llama-4",
    "llama4",
    "llava",
    "minicpm-v",
    "ministral-",
    "mistral-large-",
    "mistral-medium-",
    "mistral-small-",
    "moondream",
    "multimodal",
    "pixtral",
    "qwen3.8-27b",
    "smolvlm",
    "vision",
    "-vl",
)
# Names that contain one of the above and take no pictures all the same.
_BLIND = (
    "embed",
    "gemma-3-1b",
    "gemma3:1b",
    "mistral-large-2407",
    "mistral-large-2411",
    "mistral-small-2409",
    "gemini-1.0",
)
_EMBEDS = ("embed", "bge-", "all-minilm", "/e5-", "-e5-", "gte-")
_DRAWS = ("dall-e", "gpt-image", "flux", "stable-diffusion", "grok-imagine")
_OTHER = ("whisper", "tts", "moderation", "rerank", "realtime", "transcribe")


def _has(name: str, pieces: tuple[str, ...]) -> bool:
    return any(piece in name for piece in pieces)


def guess(model_id: str) -> Capability:
    """Guess from a name: an unknown model chats, streams, keeps to a schema and calls tools, and takes no pictures."""
    name = model_id.lower()
    if _has(name, _EMBEDS):
        return Capability.EMBEDDINGS
    if _has(name, _DRAWS):
        return Capability.IMAGE_OUT
    if _has(name, _OTHER):
        return Capability.NONE
    if _has(name, _SEES) and not _has(name, _BLIND):
        return CHAT | Capability.VISION
    return CHAT
