"""One batch going through our decoder: its caches, and the step.

With classifier-free guidance (CFG) a clip has two rows: [clips with their prompts, the same clips without].
All clips at one column, the usual case, read a slice of the cache; clips at different columns read all of it
under a mask. The masked step has static shapes and no number in it comes from the host, which is what a CUDA
graph needs; `graphs.py` replays it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from albumgen_core.engines.neural.musicgen.linear import Linear
from albumgen_core.engines.neural.musicgen.weights import DecoderWeights, Layer


def precompute_cross_attention(
    decoder: DecoderWeights, conditioning: Sequence[Tensor]
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


class FastSession:
    """The state of one batch; see `DecoderSession`."""

    def __init__(self, decoder: DecoderWeights, conditioning: Sequence[Tensor], capacity: int) -> None:
        self.decoder = decoder
        self.clips = len(conditioning)
        self.cfg_rows = 1 if decoder.guidance_scale == 1 else 2
        self.capacity = capacity
        self.position = [0] * self.clips
        """Columns in each clip's cache."""
        shape = (self.cfg_rows * self.clips, decoder.heads, capacity, decoder.width // decoder.heads)
        self.keys = [self._new_cache(shape) for _ in decoder.layers]
        self.values = [self._new_cache(shape) for _ in decoder.layers]
        self.sinusoids = decoder.sinusoids(capacity)
        self.prompt, self.prompt_mask = precompute_cross_attention(decoder, conditioning)

    @torch.inference_mode()
    def begin(self, rows: Sequence[int], columns: Sequence[Tensor]) -> None:
        """Start the rows' windows afresh; see `DecoderSession.begin`."""
        for row, column in zip(rows, columns, strict=True):
            self.position[row] = 0
            if column.shape[1]:
                self._prefill(row, column)

    @torch.inference_mode()
    def step(self, columns: Tensor) -> Tensor:
        """Run one column of every row; see `DecoderSession.step`."""
        here = self.position[0]
        if all(position == here for position in self.position):
            logits = self._step_together(columns, here)
        else:
            positions = torch.tensor(self.position, device=columns.device)
            logits = self.step_masked(columns, positions, max(self.position) + 1)
        self.position = [position + 1 for position in self.position]
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Let go of all other rows; see `DecoderSession.keep`."""
        device = self.decoder.device
        clips = torch.tensor(list(rows), device=device)
        index = torch.cat([clips + part * self.clips for part in range(self.cfg_rows)])
        for layer in range(len(self.keys)):  # one layer at a time: two copies of one layer, not of all
            self.keys[layer], self.values[layer] = self.keys[layer][index], self.values[layer][index]
            key, value = self.prompt[layer]
            self.prompt[layer] = key[clips], value[clips]
        self.prompt_mask = None if self.prompt_mask is None else self.prompt_mask[clips]
        self.position = [self.position[row] for row in rows]
        self.clips = len(self.position)

    def _new_cache(self, shape: Sequence[int]) -> Tensor:
        """Room for one layer's keys or values, zeroed."""
        return torch.zeros(shape, dtype=self.decoder.compute, device=self.decoder.device)

    def _prefill(self, row: int, columns: Tensor) -> None:
        """Run known columns (K, n) of one clip through the layers, for what they leave in the caches."""
        decoder = self.decoder
        count = columns.shape[1]
        rows = [row + part * self.clips for part in range(self.cfg_rows)]
        x = decoder.embed(columns.T) + self.sinusoids[:count]
        x = x.repeat(self.cfg_rows, 1)
        for index, layer in enumerate(decoder.layers):
            q, k, v = self._project(layer, x, count)
            self.keys[index][rows, :, :count], self.values[index][rows, :, :count] = k, v
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + layer.self_out(attended.transpose(1, 2).reshape(x.shape))
            key, value = self.prompt[index]
            mask = None if self.prompt_mask is None else self.prompt_mask[row : row + 1]
            self._cross(layer, x[:count], (key[row : row + 1], value[row : row + 1]), mask)
            x = self._feed_forward(layer, x)
        self.position[row] = count

    def _step_together(self, columns: Tensor, here: int) -> Tensor:
        """A step of clips that are all at column `here`."""
        decoder = self.decoder
        x = (decoder.embed(columns) + self.sinusoids[here]).repeat(self.cfg_rows, 1)
        for index, layer in enumerate(decoder.layers):
            q, k, v = self._project(layer, x, 1)
            keys, values = self.keys[index][:, :, : here + 1], self.values[index][:, :, : here + 1]
            keys[:, :, here:], values[:, :, here:] = k, v
            x = self._attend(layer, index, x, F.scaled_dot_product_attention(q, keys, values))
        return decoder.logits(x)

    def step_masked(self, columns: Tensor, positions: Tensor, depth: int | None = None) -> Tensor:
        """A step of clips at columns `positions`, int64 (clips,), which stay on the device.

        Reads the first `depth` columns of the caches, which must reach beyond every position; None: all.
        """
        depth = self.capacity if depth is None else depth
        decoder = self.decoder
        x = (decoder.embed(columns) + self.sinusoids[positions]).repeat(self.cfg_rows, 1)
        positions = positions.repeat(self.cfg_rows)
        mask = (torch.arange(depth, device=positions.device) <= positions[:, None])[:, None, None]
        rows = torch.arange(len(positions), device=positions.device)
        for index, layer in enumerate(decoder.layers):
            q, k, v = self._project(layer, x, 1)
            self.keys[index][rows, :, positions] = k[:, :, 0]
            self.values[index][rows, :, positions] = v[:, :, 0]
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
