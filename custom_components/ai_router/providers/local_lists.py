"""What two servers of the house tell of their models beyond the common list: LM Studio and llama.cpp."""

from typing import Any


def lm_studio_entries(data: Any) -> list[dict[str, Any]] | None:
    """Return LM Studio's own list in the form of the common one; None where it is none.

    A model that is loaded has the context it was loaded with, which may be far less than it could have.
    """
    models = data.get("models") if isinstance(data, dict) else None
    if not isinstance(models, list):
        return None
    entries = []
    for model in models:
        name = model.get("key") if isinstance(model, dict) else None
        if not isinstance(name, str) or not name:
            continue
        told = model.get("capabilities")
        told = told if isinstance(told, dict) else {}
        flags = {
            "vision": told.get("vision"),
            "function_calling": told.get("trained_for_tool_use"),
            "reasoning": bool(told["reasoning"]) if "reasoning" in told else None,
        }
        entries.append(
            {
                "id": name,
                "max_context_length": min(_loaded(model), default=model.get("max_context_length")),
                "capabilities": flags,
                "type": model.get("type"),
            }
        )
    return entries


def _loaded(model: dict[str, Any]) -> list[int]:
    instances = model.get("loaded_instances")
    configs = [
        each.get("config") for each in (instances if isinstance(instances, list) else ()) if isinstance(each, dict)
    ]
    sizes = [config.get("context_length") for config in configs if isinstance(config, dict)]
    return [size for size in sizes if isinstance(size, int) and size > 0]


def with_props(entries: list[Any], props: Any) -> list[Any]:
    """Return llama.cpp's list with what its properties tell of the one model it serves.

    The context is that of one request: the whole is divided among those that run at once.
    """
    if len(entries) != 1 or not isinstance(entries[0], dict) or not isinstance(props, dict):
        return entries
    entry = dict(entries[0])
    settings, senses = props.get("default_generation_settings"), props.get("modalities")
    size = settings.get("n_ctx") if isinstance(settings, dict) else None
    if isinstance(size, int) and size > 0:
        entry["context_length"] = size
    if isinstance(senses, dict):
        seen = ["image"] if senses.get("vision") is True else []
        heard = ["audio"] if senses.get("audio") is True else []
        entry["architecture"] = {"input_modalities": ["text", *seen, *heard]}
    return [entry]
