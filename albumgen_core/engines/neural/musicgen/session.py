"""One batch going through our decoder: its caches, and the step.

Rows are laid out as [clips with their prompts, the same clips without]: the guidance halves. All clips
at one column, the usual case, read a slice of the cache; clips at different columns read all of it under
a mask. The masked step has static shapes and no number in it comes from the host, which is what a CUDA
graph needs; `graphs.py` replays it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from albumgen_core.engines.neural.musicgen.decoder import Layer, OwnDecoder
from albumgen_core.engines.neural.musicgen.linear import Linear


def hear_prompts(
    decoder: OwnDecoder, conditioning: Sequence[Tensor]
) -> tuple[list[tuple[Tensor, Tensor]], Tensor | None]:
    """Every layer's keys and values of the prompts, (clips, heads, longest, size), and what is no padding.

    `conditioning` is float32 (tokens, width) a clip. The mask is (clips, 1, 1, longest); None: no padding.
    """
    longest = max(len(one) for one in conditioning)
    padded = torch.stack([F.pad(one, (0, 0, 0, longest - len(one))) for one in conditioning])
    flat = padded.to(decoder.compute).flatten(0, 1)
    lengths = torch.tensor([len(one) for one in conditioning], device=decoder.device)
    mask = torch.arange(longest, device=decoder.device) < lengths[:, None]

    def project(linear: Linear) -> Tensor:
        return decoder.split(linear(flat).view(len(conditioning), longest, -1)).contiguous()

    prompt = [(project(layer.cross_key), project(layer.cross_value)) for layer in decoder.layers]
    return prompt, None if bool(mask.all()) else mask[:, None, None]


class OwnSession:
    """The state of one batch; see `DecoderSession`."""

    def __init__(self, decoder: OwnDecoder, conditioning: Sequence[Tensor], capacity: int) -> None:
        self.decoder = decoder
        self.clips = len(conditioning)
        self.halves = 1 if decoder.guidance_scale == 1 else 2
        self.capacity = capacity
        self.place = [0] * self.clips
        """Columns each clip has heard."""
        shape = (self.halves * self.clips, decoder.heads, capacity, decoder.width // decoder.heads)
        self.keys = [self._new_cache(shape) for _ in decoder.layers]
        self.values = [self._new_cache(shape) for _ in decoder.layers]
        self.positions = decoder.positions(capacity)
        self.prompt, self.prompt_mask = hear_prompts(decoder, conditioning)

    @torch.inference_mode()
    def begin(self, rows: Sequence[int], columns: Sequence[Tensor]) -> None:
        """Start the rows' windows afresh; see `DecoderSession.begin`."""
        for row, column in zip(rows, columns, strict=True):
            self.place[row] = 0
            if column.shape[1]:
                self._hear(row, column)

    @torch.inference_mode()
    def step(self, columns: Tensor) -> Tensor:
        """Hear one column of every row; see `DecoderSession.step`."""
        here = self.place[0]
        if all(place == here for place in self.place):
            logits = self._step_together(columns, here)
        else:
            places = torch.tensor(self.place, device=columns.device)
            logits = self.step_masked(columns, places, max(self.place) + 1)
        self.place = [place + 1 for place in self.place]
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Let go of all other rows; see `DecoderSession.keep`."""
        device = self.decoder.device
        clips = torch.tensor(list(rows), device=device)
        index = torch.cat([clips + half * self.clips for half in range(self.halves)])
        for layer in range(len(self.keys)):  # one layer at a time: two copies of one layer, not of all
            self.keys[layer], self.values[layer] = self.keys[layer][index], self.values[layer][index]
            key, value = self.prompt[layer]
            self.prompt[layer] = key[clips], value[clips]
        self.prompt_mask = None if self.prompt_mask is None else self.prompt_mask[clips]
        self.place = [self.place[row] for row in rows]
        self.clips = len(self.place)

    def _new_cache(self, shape: Sequence[int]) -> Tensor:
        """Room for one layer's keys or values, zeroed."""
        return torch.zeros(shape, dtype=self.decoder.compute, device=self.decoder.device)

    def _hear(self, row: int, columns: Tensor) -> None:
        """Run known columns (K, n) of one clip through the layers, for what they leave in the caches."""
        decoder = self.decoder
        count = columns.shape[1]
        rows = [row + half * self.clips for half in range(self.halves)]
        x = decoder.embed(columns.T) + self.positions[:count]
        x = x.repeat(self.halves, 1)
        for index, layer in enumerate(decoder.layers):
            q, k, v = self._project(layer, x, count)
            self.keys[index][rows, :, :count], self.values[index][rows, :, :count] = k, v
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + layer.self_out(attended.transpose(1, 2).reshape(x.shape))
            key, value = self.prompt[index]
            mask = None if self.prompt_mask is None else self.prompt_mask[row : row + 1]
            self._cross(layer, x[:count], (key[row : row + 1], value[row : row + 1]), mask)
            x = self._feed_forward(layer, x)
        self.place[row] = count

    def _step_together(self, columns: Tensor, here: int) -> Tensor:
        """A step of clips that are all at column `here`."""
        decoder = self.decoder
        x = (decoder.embed(columns) + self.positions[here]).repeat(self.halves, 1)
        for index, layer in enumerate(decoder.layers):
            q, k, v = self._project(layer, x, 1)
            keys, values = self.keys[index][:, :, : here + 1], self.values[index][:, :, : here + 1]
            keys[:, :, here:], values[:, :, here:] = k, v
            x = self._attend(layer, index, x, F.scaled_dot_product_attention(q, keys, values))
        return decoder.logits(x)

    def step_masked(self, columns: Tensor, places: Tensor, depth: int | None = None) -> Tensor:
        """A step of clips at columns `places`, int64 (clips,), which stay on the device.

        Reads the first `depth` columns of the caches, which must reach beyond every place; None: all.
        """
        depth = self.capacity if depth is None else depth
        decoder = self.decoder
        x = (decoder.embed(columns) + self.positions[places]).repeat(self.halves, 1)
        places = places.repeat(self.halves)
        mask = (torch.arange(depth, device=places.device) <= places[:, None])[:, None, None]
        rows = torch.arange(len(places), device=places.device)
        for index, layer in enumerate(decoder.layers):
            q, k, v = self._project(layer, x, 1)
            self.keys[index][rows, :, places] = k[:, :, 0]
            self.values[index][rows, :, places] = v[:, :, 0]
            keys, values = self.keys[index][:, :, :depth], self.values[index][:, :, :depth]
            attended = F.scaled_dot_product_attention(q, keys, values, mask)
            x = self._attend(layer, index, x, attended)
        return decoder.logits(x)

    def _project(self, layer: Layer, x: Tensor, columns: int) -> tuple[Tensor, Tensor, Tensor]:
        decoder = self.decoder
        qkv = layer.qkv(decoder.layer_norm(x, layer.self_norm)).view(-1, columns, 3 * decoder.width)
        q, k, v = (decoder.split(part) for part in qkv.chunk(3, dim=-1))
        return q, k, v

    def _attend(self, layer: Layer, index: int, x: Tensor, attended: Tensor) -> Tensor:
        """The rest of a layer, after the self-attention of a single column."""
        x = x + layer.self_out(attended.reshape(x.shape))
        self._cross(layer, x[: self.clips], self.prompt[index], self.prompt_mask)
        return self._feed_forward(layer, x)

    def _cross(self, layer: Layer, x: Tensor, prompt: tuple[Tensor, Tensor], mask: Tensor | None) -> None:
        """Add what the prompt says to x (clips * columns, width), in place."""
        decoder = self.decoder
        key, value = prompt
        query = layer.cross_query(decoder.layer_norm(x, layer.cross_norm))
        query = decoder.split(query.view(key.shape[0], -1, decoder.width))
        attended = F.scaled_dot_product_attention(query, key, value, mask)
        x += layer.cross_out(attended.transpose(1, 2).reshape(x.shape))

    def _feed_forward(self, layer: Layer, x: Tensor) -> Tensor:
        decoder = self.decoder
        return x + layer.down(decoder.activation(layer.up(decoder.layer_norm(x, layer.final_norm))))
