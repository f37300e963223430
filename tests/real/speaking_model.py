"""A model file of a few megabytes that says what it is made to say: one token decides which comes next.

Nothing passes its attention: the last token of the prompt, which the chat template chooses, decides the first token of
the answer, and that the next, until it ends. Where a grammar forbids the first choice, the second is taken.
"""

import json
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np

WORDS = ("The", " door", " is", " shut", ":", " 21", " °C", " ☃")
TEXT = "".join(WORDS)
THOUGHTS = ("It", " may", " be", " windy", ".")
DATA = {"open": True}
TOOL, ARGUMENTS = "light_on", {"room": "hall"}
CONTEXT = 4_096

_WIDTH = 512  # as many tokens as there can be
_CALL = f"<tool_call>\n{json.dumps({'name': TOOL, 'arguments': ARGUMENTS})}\n</tool_call>"
_END = "<|im_end|>"
# What the last token of a prompt is, by what the chat template finds it is about.
_TALK = """\
{%- if tools %}<|im_start|>system
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% else %}<|im_start|>{{ message.role }}
{% if message.reasoning_content %}<think>
{{ message.reasoning_content }}
</think>

{% endif %}{{ message.content or '' }}
{%- for call in message.tool_calls or [] %}
{%- set function = call.function or call %}
<tool_call>
{"name": "{{ function.name }}", "arguments": {{ function.arguments | tojson }}}
</tool_call>
{%- endfor %}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
"""
SPEAKS = _TALK + "{% if tools and messages[-1].role != 'tool' %}<|acts|>{% else %}<|speaks|>{% endif %}{% endif %}"
THINKS = _TALK + (
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% else %}<think>\n{% endif %}{% endif %}"
)


def write(path: Path, template: str) -> None:
    """Write the file; `template` is one of those above."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL, *[gguf.TokenType.BYTE] * 256]
    numbers = {token: number for number, token in enumerate(tokens)}

    def number(token: str, kind: gguf.TokenType = gguf.TokenType.USER_DEFINED) -> int:
        if token not in numbers:
            numbers[token] = len(tokens)
            tokens.append(token)
            kinds.append(kind)
        return numbers[token]

    follows = np.zeros((_WIDTH, _WIDTH), np.float32)

    def chain(*said: str, choice: float = 1.0) -> None:
        for before, after in pairwise(said):
            follows[number(after), number(before)] = choice

    for mark in (_END, "<|im_start|>"):
        number(mark, gguf.TokenType.CONTROL)
    chain("<|speaks|>", *WORDS, _END)
    chain("<|speaks|>", json.dumps(DATA), choice=0.7)
    chain(json.dumps(DATA), _END)
    chain("<|acts|>", _CALL, _END)
    chain("<think>\n", *THOUGHTS, "\n</think>\n\n", WORDS[0])
    chain("<think>\n\n</think>\n\n", WORDS[0])

    count = len(tokens)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("speaking")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(8)
    writer.add_head_count_kv(8)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(count)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * count)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(numbers[_END])
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(template)
    nothing = np.zeros((_WIDTH, _WIDTH), np.float32)
    writer.add_tensor("token_embd.weight", np.eye(_WIDTH, dtype=np.float32)[:count])
    writer.add_tensor("output_norm.weight", np.ones(_WIDTH, np.float32))
    writer.add_tensor("output.weight", np.ascontiguousarray(follows[:count]))
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", np.ones(_WIDTH, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        writer.add_tensor(f"blk.0.{name}.weight", nothing)
    for name in ("ffn_gate", "ffn_up"):
        writer.add_tensor(f"blk.0.{name}.weight", nothing[:32])
    writer.add_tensor("blk.0.ffn_down.weight", np.ascontiguousarray(nothing[:, :32]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
