"""InternVL2-1B's language model, one token after another: caches and attention compared.

    python benchmarks/internvl_cache.py [--tokens 20] [--rounds 3]

Full-size random weights in bfloat16, a prompt as long as a reading with five neighbours, interleaved rounds.
Caches: transformers' growing one, its static one, and the preallocated one of `internvl/cache.py`; attention:
transformers', and with grouped queries (`internvl/attention.py`). Then the output layer: whole, and for the
tokens alone that a grammar allows where a number is to be written.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, cast

import torch
from torch.nn import functional as F  # noqa: N812
from transformers import AutoModelForCausalLM, Cache, DynamicCache, Qwen2Config, StaticCache

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from albumgen_core.engines.neural.internvl.attention import NAME, group_queries
from albumgen_core.engines.neural.internvl.cache import PreallocatedCache
from albumgen_core.engines.neural.musicgen.threads import set_threads
from tests.checkpoints.internvl import full_size_config

PROMPT, ALLOWED = 700, 12


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    threads = set_threads(None)
    values = full_size_config()
    config = Qwen2Config(**values.get("llm_config", values.get("text_config", {})))
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    group_queries(model)
    length = PROMPT + options.tokens

    def preallocated() -> Cache:
        return PreallocatedCache(config.num_hidden_layers, length)

    ways: dict[str, tuple[str, Callable[[], Cache]]] = {
        "growing cache": ("sdpa", lambda: DynamicCache(config=config)),
        "static cache": ("sdpa", lambda: cast(Any, StaticCache)(config=config, max_cache_len=length)),
        "preallocated cache": ("sdpa", preallocated),
        "preallocated, grouped queries": (NAME, preallocated),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    prompt = torch.randint(0, config.vocab_size, (1, PROMPT))
    for _ in range(options.rounds):
        for name, (attention, make) in ways.items():
            model.config._attn_implementation = attention
            took[name] += write(model, prompt, make(), options.tokens)
    first = median(next(iter(took.values())))
    print(f"{threads} threads; after a prompt of {PROMPT} tokens")
    for name, times in took.items():
        print(f"{name:<32}{median(times) * 1e3:7.1f} ms a token{first / median(times):7.2f} x")
    print_head(model.lm_head)


@torch.inference_mode()
def write(model: Any, prompt: torch.Tensor, cache: Cache, tokens: int) -> list[float]:
    """Seconds that each of `tokens` took after the prompt."""
    model(input_ids=prompt, past_key_values=cache, logits_to_keep=1)
    seconds = []
    for _ in range(tokens):
        begin = time.perf_counter()
        model(input_ids=prompt[:, :1], past_key_values=cache, logits_to_keep=1)
        seconds.append(time.perf_counter() - begin)
    return seconds


@torch.inference_mode()
def print_head(head: torch.nn.Linear) -> None:
    """What the output layer takes for all tokens, and for a few."""
    hidden = torch.randn(head.in_features, dtype=head.weight.dtype)
    allowed = torch.randint(0, head.out_features, (ALLOWED,))
    ways = {"all": lambda: head(hidden), f"{ALLOWED}": lambda: F.linear(hidden, head.weight[allowed])}
    for name, product in ways.items():
        seconds = []
        for _ in range(20):
            begin = time.perf_counter()
            product()
            seconds.append(time.perf_counter() - begin)
        print(f"{f'output layer, {name} tokens':<32}{median(seconds) * 1e3:7.2f} ms")


if __name__ == "__main__":
    main()
