"""The chat around a question, in tokens: what the model saw when it was trained, to the byte.

Text from outside (names of albums and artists) can never become a special token: everything but the
template's own marks goes through a tokenizer that knows no special tokens at all.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer, Qwen2Tokenizer

from albumgen_core.engines.neural.checkpoints.hub import damaged, unusable
from albumgen_core.engines.neural.internvl.checkpoint import SPEC, Checkpoint

IMAGE_START, IMAGE_END, IMAGE_TOKEN = "<img>", "</img>", "<IMG_CONTEXT>"
TURN_END = "<|im_end|>"
_QUESTION = "\ue000question\ue000"
"""Where the question goes in a template; a private-use character that no template contains."""

_SYSTEM = (
    "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，"
    "英文名叫InternVL, 是一个有用无害的人工智能助手。"
)
_SYSTEM_2_5 = (
    "你是书生·万象，英文名是InternVL，"
    "是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"
)

TEMPLATES: dict[str, str] = {
    # No newline after <|im_end|>: InternVL2-1B was trained that way.
    "Hermes-2": (
        f"<|im_start|>system\n{_SYSTEM}<|im_end|>"
        f"<|im_start|>user\n{IMAGE_TOKEN}\n{_QUESTION}<|im_end|><|im_start|>assistant\n"
    ),
    "internvl2_5": (
        f"<|im_start|>system\n{_SYSTEM_2_5}<|im_end|>\n"
        f"<|im_start|>user\n{IMAGE_TOKEN}\n{_QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    ),
}
"""OpenGVLab's templates by the names in their configurations (their `conversation.py`), for one picture."""

_PLAIN = f"<|im_start|>user\n{IMAGE_TOKEN}\n{_QUESTION}<|im_end|>\n<|im_start|>assistant\n"


class Chat:
    """Turns a question about a picture into token ids.

    Args:
        checkpoint: whose tokenizer and template to use.

    Raises EngineUnavailableError when the tokenizer cannot be read or lacks the model's special tokens.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.tokenizer: Any = _read_tokenizer(checkpoint)
        specials = {str(token): int(i) for token, i in self.tokenizer.get_added_vocab().items()}
        for token in (IMAGE_START, IMAGE_END, IMAGE_TOKEN, "<|im_start|>", TURN_END):
            if token not in specials:
                raise unusable(SPEC, checkpoint.folder, f"has a tokenizer without the token {token}")
        self._specials = specials
        self._plain = _without_specials(self.tokenizer)
        self._marks = re.compile("|".join(re.escape(t) for t in sorted(specials, key=len, reverse=True)))
        self._template = _template(checkpoint, self.tokenizer)
        self._tokens_per_tile = checkpoint.tokens_per_tile

    @property
    def image_token(self) -> int:
        """Id of <IMG_CONTEXT>, the place of one image feature."""
        return self._specials[IMAGE_TOKEN]

    @property
    def turn_end(self) -> int:
        """Id of <|im_end|>, with which the model ends its answer."""
        return self._specials[TURN_END]

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids of all special tokens."""
        return frozenset(self._specials.values())

    def render(self, question: str, tiles: int) -> str:
        """The whole prompt as text: for eyes and tests, for `encode` is not made from it."""
        return "".join(self._pieces(question, tiles))

    def encode(self, question: str, tiles: int) -> list[int]:
        """Token ids of the prompt for a picture of `tiles` tiles and a question of untrusted text."""
        ids: list[int] = []
        for position, piece in enumerate(self._pieces(question, tiles)):
            # Odd pieces are the template's marks; even ones are text, whatever they look like.
            ids.extend([self._specials[piece]] if position % 2 else self.encode_text(piece))
        return ids

    def encode_text(self, text: str) -> list[int]:
        """Token ids of mere text: no special token can be among them."""
        return [token for token, _, _ in self.encode_spans(text)]

    def encode_spans(self, text: str) -> list[tuple[int, int, int]]:
        """Like `encode_text`, each id with the characters of `text` it stands for: (id, start, end)."""
        encoded = self._plain.encode(text, add_special_tokens=False)
        specials = set(self._specials.values())
        return [
            (token, start, end)
            for token, (start, end) in zip(encoded.ids, encoded.offsets, strict=True)
            if token not in specials
        ]

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`, special tokens left out."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _pieces(self, question: str, tiles: int) -> list[str]:
        """The prompt as text, mark, text, mark, …, text."""
        picture = IMAGE_START + IMAGE_TOKEN * (tiles * self._tokens_per_tile) + IMAGE_END
        template = self._template.replace(IMAGE_TOKEN, picture)
        texts = self._marks.split(template)
        marks = self._marks.findall(template)
        # The question is put in only now that the marks have been found.
        texts = [text.replace(_QUESTION, question) for text in texts]
        pieces = [piece for pair in zip(texts, marks, strict=False) for piece in pair]
        return [*pieces, texts[-1]]


def _read_tokenizer(checkpoint: Checkpoint) -> Any:
    folder = checkpoint.folder
    # An original folder's configuration names code of its own, which the automatic class would stumble over.
    kind = Qwen2Tokenizer if checkpoint.layout == "original" else AutoTokenizer
    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exception
        raise damaged(SPEC, _tokenizer_file(folder), error) from error


def _tokenizer_file(folder: Path) -> Path:
    return next((folder / n for n in ("tokenizer.json", "vocab.json") if (folder / n).is_file()), folder)


def _without_specials(tokenizer: Any) -> Tokenizer:
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    return Tokenizer.from_str(json.dumps({**state, "added_tokens": [], "post_processor": None}))


def _template(checkpoint: Checkpoint, tokenizer: Any) -> str:
    if checkpoint.template is not None:
        known = TEMPLATES.get(checkpoint.template)
        if known is None:
            raise unusable(
                SPEC,
                checkpoint.folder / "config.json",
                f"asks for the chat template {checkpoint.template!r}, not one of {', '.join(TEMPLATES)}",
            )
        return known
    if not tokenizer.chat_template:
        return _PLAIN
    content = [{"type": "image"}, {"type": "text", "text": _QUESTION}]
    rendered = str(
        tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
    )
    if rendered.count(IMAGE_TOKEN) != 1 or rendered.count(_QUESTION) != 1:
        raise unusable(
            SPEC, checkpoint.folder, "has a chat template without room for a picture and a question"
        )
    return rendered
