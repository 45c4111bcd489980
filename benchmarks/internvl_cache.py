"""InternVL2-1B's language model, one token after another: a growing cache against a static one.

    python benchmarks/internvl_cache.py [--tokens 40] [--rounds 3]

Full-size random weights, a prompt as long as a reading with five neighbours, interleaved rounds. A static
cache has fixed shapes, which compilers and CUDA graphs need; by itself it attends over its whole length.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import AutoModelForCausalLM, DynamicCache, Qwen2Config, StaticCache

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.checkpoints.internvl import full_size_config

PROMPT = 700


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    values = full_size_config()
    config = Qwen2Config(**values.get("llm_config", values.get("text_config", {})))
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    length = PROMPT + options.tokens
    makers = {
        "growing": lambda: DynamicCache(config=config),
        "static": lambda: StaticCache(config=config, max_cache_len=length),
    }
    took: dict[str, list[float]] = {name: [] for name in makers}
    prompt = torch.randint(0, config.vocab_size, (1, PROMPT))
    with torch.inference_mode():
        for _ in range(options.rounds):
            for name, make in makers.items():
                cache = make()
                model(input_ids=prompt, past_key_values=cache, logits_to_keep=1)
                for _ in range(options.tokens):
                    start = time.perf_counter()
                    model(input_ids=prompt[:, :1], past_key_values=cache, logits_to_keep=1)
                    took[name].append(time.perf_counter() - start)
    for name, times in took.items():
        print(f"{name:<8} {median(times) * 1e3:6.1f} ms a token")
    print(f"static against growing: {median(took['growing']) / median(took['static']):.2f} times as fast")


if __name__ == "__main__":
    main()
