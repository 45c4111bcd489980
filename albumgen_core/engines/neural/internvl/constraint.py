"""Decoding under a grammar: whatever the weights, every answer is a valid one.

llguidance turns the JSON schema of an answer into masks over the vocabulary. Where the grammar leaves a
single continuation (field names, braces), the tokens are known without asking the model.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from torch import Tensor

MAX_TOKENS = 1024
"""More than the longest valid answer has bytes, so no answer is ever cut."""


MAX_FREE_TOKENS = 256
"""Where an answer without a grammar is cut: a usual one has 140 tokens, one that repeats itself no end."""


class GrammarError(RuntimeError):
    """The grammar refused a token that it had allowed, or the schema cannot be compiled."""


class Constraint:
    """A schema compiled for a tokenizer; `start` begins one answer. Compiling takes about a second.

    Args:
        tokenizer: the model's, a fast one.
        vocabulary: rows of the output layer, which may be more than the tokenizer has tokens.
        end: id of the token that ends an answer.
        schema: JSON schema; every string in it must have a bounded length, and its `x-guidance` should fix
            the white space, with which a weak model would else fill its answer.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, end: int, schema: dict[str, Any]) -> None:
        self._tokenizer = from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=end)
        self._vocabulary = vocabulary
        self._grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema))
        problem = LLMatcher.validate_grammar(self._grammar, self._tokenizer)
        if problem:
            raise GrammarError(problem)

    def start(self) -> Guide:
        """Guidance for one answer, from its beginning."""
        return Guide(LLMatcher(self._tokenizer, self._grammar), self._vocabulary)


class Guide:
    """Follows one answer as it is written."""

    def __init__(self, matcher: LLMatcher, vocabulary: int) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self.tokens: list[int] = []
        self._check()

    @property
    def finished(self) -> bool:
        """Whether the answer is whole."""
        return bool(self._matcher.is_stopped())

    def forced(self) -> list[int]:
        """Tokens that must come next, now taken as written; [] where there is a choice or nothing more."""
        if self.finished:
            return []
        tokens = list(self._matcher.compute_ff_tokens())
        for token in tokens:
            self.take(token)
        return tokens

    def allowed(self) -> Tensor | None:
        """Ids of the tokens that may come next, int64 (n,), ascending."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        # Rows of the output layer beyond the last token have no bit, and no right to be written.
        mask = np.unpackbits(bits, bitorder="little")[: self._vocabulary]
        return torch.from_numpy(np.flatnonzero(mask))

    def take(self, token: int) -> None:
        """The token that was chosen."""
        self._matcher.consume_token(token)
        self._check()
        self.tokens.append(token)

    def _check(self) -> None:
        if self._matcher.is_error():
            raise GrammarError(self._matcher.get_error())


class FreeGuide:
    """A `Guide` that allows everything: to measure what the model does when nothing holds it."""

    def __init__(self, end: int, longest: int = MAX_FREE_TOKENS) -> None:
        self._end = end
        self._longest = longest
        self.tokens: list[int] = []

    @property
    def finished(self) -> bool:
        """Whether the model has ended its answer, or it has become too long."""
        return len(self.tokens) >= self._longest or self._end in self.tokens[-1:]

    def forced(self) -> list[int]:
        """Nothing is dictated."""
        return []

    def allowed(self) -> Tensor | None:
        """None: every token may come next."""
        return None

    def take(self, token: int) -> None:
        """The token that was chosen."""
        self.tokens.append(token)
