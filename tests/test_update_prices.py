"""The script that makes the price table, run as a person runs it, on lists that a loopback server serves."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, override

import pytest

from custom_components.ai_router.providers.price_table import PriceTable

SCRIPT = Path(__file__).parent.parent / "scripts" / "update_prices"

LITELLM: dict[str, Any] = {
    "sample_spec": {"litellm_provider": "one of https://docs", "mode": "one of: chat", "input_cost_per_token": 0.0},
    "gpt-9": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 1.5e-07,
        "output_cost_per_token": 6e-07,
        "cache_read_input_token_cost": 7.5e-08,
        "input_cost_per_token_above_272k_tokens": 3e-07,
        "input_cost_per_token_batches": 1e-09,
        "input_cost_per_image": 0.002,
        "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_high": 0.05},
        "max_input_tokens": 1000,
        "max_output_tokens": 100,
        "supports_vision": True,
        "supports_response_schema": False,
    },
    "gpt-9-gift": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0, "max_input_tokens": 5},
    "gpt-9-odd": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": -1, "max_input_tokens": 5},
    "dall-9": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_token": 1e-06},
    "deepseek/night": {
        "litellm_provider": "deepseek",
        "mode": "chat",
        "input_cost_per_token": 2e-06,
        "output_cost_per_token": 4e-06,
        "off_peak_pricing": {
            "input_cost_per_token": 1e-06,
            "windows": [
                {"hours_utc": ["22:00-00:00"], "weekdays": [1, 7]},
                {"hours_utc": "00:00-00:00", "weekdays": [6]},
            ],
        },
    },
    "bedrock/gpt-9": {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": 1e-06},
}
OPENROUTER = {
    "data": [
        {
            "id": "openai/gpt-9",
            "pricing": {"prompt": "1", "completion": "1"},
        },
        {
            "id": "anthropic/claude-opus-9.5",
            "context_length": 200_000,
            "pricing": {"prompt": "0.000005", "completion": "0.000025", "input_cache_read": "0.0000005"},
            "architecture": {"input_modalities": ["text", "image"]},
            "supported_parameters": ["tools"],
        },
        {"id": "anthropic/claude-opus-9.5:free", "pricing": {"prompt": "0", "completion": "0"}},
        {"id": "anthropic/varies", "pricing": {"prompt": "-1", "completion": "-1"}},
        {"id": "unknown/vendor", "pricing": {"prompt": "0.1", "completion": "0.1"}},
    ]
}
KNOWN = """
[openai.gpt-10]
source = "a page"
date = 2026-11-01
caps = "CV"
prices = [{ in = "1", out = "2" }, { from = 2027-01-01, in = "3", out = "4" }]
"""


class Lists(ThreadingHTTPServer):
    """Serves the lists: whatever is in `pages`, a 503 for the rest."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, Any] = {"/litellm": LITELLM, "/openrouter": OPENROUTER}

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Lists

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path)
        self.send_response(503 if page is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps(page).encode())

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def lists(socket_enabled: None) -> Iterator[Lists]:
    server = Lists()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def update(lists: Lists, table: Path, known: str = KNOWN, **given: str) -> subprocess.CompletedProcess[str]:
    toml = table.with_name("known.toml")
    toml.write_text(known)
    options = {"litellm": lists.url("/litellm"), "openrouter": lists.url("/openrouter"), **given}
    return subprocess.run(  # noqa: S603 - our own script
        [
            *(sys.executable, str(SCRIPT), "--table", str(table), "--known", str(toml)),
            *(f"--{name.replace('_', '-')}={value}" for name, value in options.items()),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_lists_become_a_table(lists: Lists, tmp_path: Path) -> None:
    table = tmp_path / "prices.json"
    done = update(lists, table, litellm_date="2026-11-12", openrouter_date="2026-11-13")

    assert done.returncode == 0, done.stderr
    models = json.loads(table.read_text())["models"]
    assert models["openai"] == {
        "gpt-10": {
            "source": "a page",
            "date": "2026-11-01",
            "caps": "CV",
            "prices": [{"in": "1", "out": "2"}, {"from": "2027-01-01", "in": "3", "out": "4"}],
        },
        "gpt-9": {
            "source": "LiteLLM",
            "date": "2026-11-12",
            "prices": [
                {"in": "0.15", "out": "0.6", "read": "0.075", "picture": "0.002", "search": "0.05"},
                {"above": 272_000, "in": "0.3", "out": "0.6", "read": "0.075", "picture": "0.002", "search": "0.05"},
            ],
            "caps": "CVs",
            "context": 1000,
            "max_output": 100,
        },
        # What is 0 without anybody saying so on purpose, and what is no price at all.
        "gpt-9-gift": {"source": "LiteLLM", "date": "2026-11-12", "caps": "C", "context": 5},
        "gpt-9-odd": {"source": "LiteLLM", "date": "2026-11-12", "caps": "C", "context": 5},
    }
    assert models["deepseek"]["night"]["prices"] == [
        {"in": "2", "out": "4"},
        {"days": [0, 6], "hours": [["22:00", "24:00"]], "in": "1", "out": "4"},
        {"days": [5], "in": "1", "out": "4"},
    ]
    assert models["anthropic"] == {
        "claude-opus-9-5": {
            "source": "OpenRouter",
            "date": "2026-11-13",
            "prices": [{"in": "5", "out": "25", "read": "0.5"}],
            "caps": "CVaTsr",
            "context": 200_000,
        }
    }
    assert PriceTable.load(table).find("anthropic", "claude-opus-9-5-20270101") is not None


def test_what_is_known_wins_and_the_difference_is_told(lists: Lists, tmp_path: Path) -> None:
    table = tmp_path / "prices.json"
    known = '[openai.gpt-9]\nsource = "a page"\ndate = 2026-11-01\nprices = [{ in = "9", out = "9" }]\n'
    done = update(lists, table, known)

    assert "openai gpt-9: LiteLLM says" in done.stdout
    entry = json.loads(table.read_text())["models"]["openai"]["gpt-9"]
    assert (entry["source"], entry["date"], entry["prices"]) == ("a page", "2026-11-01", [{"in": "9", "out": "9"}])
    assert entry["context"] == 1000


@pytest.mark.parametrize("page", [None, [], {"gpt-9": LITELLM["gpt-9"]}])
def test_a_list_that_cannot_be_believed_changes_nothing(lists: Lists, tmp_path: Path, page: Any) -> None:
    table = tmp_path / "prices.json"
    assert update(lists, table).returncode == 0
    before = table.read_bytes()
    lists.pages["/litellm"] = page

    done = update(lists, table)

    assert (done.returncode, "The table stays as it was" in done.stderr) == (1, True)
    assert table.read_bytes() == before
