"""The same decoder step in ONNX Runtime with dynamic int8, as a contender of `benchmarks/musicgen.py`.

Exported as such models usually are: the caches come in, grow by a column, and go out. Weights are int8 with
a scale an output channel, activations are quantised at each product. Needs `onnx` and `onnxruntime`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from albumgen_core.engines.neural.musicgen.checkpoint import Checkpoint
from albumgen_core.engines.neural.musicgen.decoder import PREFIX, FastDecoder
from albumgen_core.engines.neural.musicgen.open import open_checkpoint

NAME = "onnx int8"
CPU = torch.device("cpu")


def installed() -> bool:
    """Whether the two packages are there."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        return False
    return True


class _Layer(nn.Module):
    """One layer's single-column step."""

    def __init__(self, checkpoint: Checkpoint, index: int, heads: int) -> None:
        super().__init__()
        self.heads = heads

        def get(name: str) -> Tensor:
            return checkpoint.get(f"{PREFIX}layers.{index}.{name}").float().clone()

        def linear(*names: str) -> nn.Linear:
            weight = torch.cat([get(f"{name}.weight") for name in names])
            made = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
            made.weight = nn.Parameter(weight, requires_grad=False)
            return made

        def norm(name: str) -> nn.LayerNorm:
            gain = get(f"{name}.weight")
            made = nn.LayerNorm(len(gain))
            made.weight = nn.Parameter(gain, requires_grad=False)
            made.bias = nn.Parameter(get(f"{name}.bias"), requires_grad=False)
            return made

        self.self_norm = norm("self_attn_layer_norm")
        self.qkv = linear("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        self.self_out = linear("self_attn.out_proj")
        self.cross_norm = norm("encoder_attn_layer_norm")
        self.cross_query, self.cross_out = linear("encoder_attn.q_proj"), linear("encoder_attn.out_proj")
        self.final_norm, self.up, self.down = norm("final_layer_norm"), linear("fc1"), linear("fc2")

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, prompt_keys: Tensor, prompt_values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = (self._split(part) for part in self.qkv(self.self_norm(x)).chunk(3, dim=-1))
        keys, values = torch.cat([keys, k], 2), torch.cat([values, v], 2)
        x = x + self.self_out(self._attended(q, keys, values))
        # The half without a prompt hears nothing, which adds nothing.
        clips = prompt_keys.shape[0]
        query = self._split(self.cross_query(self.cross_norm(x[:clips])))
        heard = self.cross_out(self._attended(query, prompt_keys, prompt_values))
        x = x + torch.cat([heard, torch.zeros_like(x[clips:])])
        return x + self.down(F.gelu(self.up(self.final_norm(x)))), keys, values

    def _split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], 1, self.heads, -1).transpose(1, 2)

    def _attended(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        scores = query @ keys.transpose(2, 3) * (query.shape[-1] ** -0.5)
        attended: Tensor = (scores.softmax(-1) @ values).transpose(1, 2).flatten(1)
        return attended


class _Step(nn.Module):
    """All layers and the heads: hidden states (rows, width) and four caches a layer → logits, new caches."""

    def __init__(self, checkpoint: Checkpoint, decoder: FastDecoder) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _Layer(checkpoint, index, decoder.heads) for index in range(len(decoder.layers))
        )
        self.norm = nn.LayerNorm(decoder.width)
        self.norm.weight, self.norm.bias = (nn.Parameter(part.clone()) for part in decoder.norm)
        books = range(decoder.codebooks)
        heads = torch.cat([checkpoint.get(f"decoder.lm_heads.{book}.weight").float() for book in books])
        self.heads = nn.Linear(heads.shape[1], heads.shape[0], bias=False)
        self.heads.weight = nn.Parameter(heads.clone(), requires_grad=False)

    def forward(self, x: Tensor, *caches: Tensor) -> tuple[Tensor, ...]:
        grown: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            x, keys, values = layer(x, *caches[4 * index : 4 * index + 4])
            grown += [keys, values]
        return (self.heads(self.norm(x)), *grown)


class OnnxDecoder:
    """The decoder behind the interface of the other contenders.

    Args:
        folder: the checkpoint. scratch: where 2.5 GB of model files are written.
        guidance: its scale.
    """

    def __init__(self, folder: Path, scratch: Path, guidance: float) -> None:
        import onnxruntime
        from onnxruntime.quantization import QuantType, quantize_dynamic

        checkpoint = open_checkpoint(folder)
        self.own = FastDecoder(open_checkpoint(folder), CPU, "float32", guidance)
        plain, quantised = scratch / "step.onnx", scratch / "step.int8.onnx"
        self._export(_Step(checkpoint, self.own).eval(), plain)
        quantize_dynamic(
            plain, quantised, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8
        )
        plain.unlink()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(
            str(quantised), options, providers=["CPUExecutionProvider"]
        )
        self.names = [each.name for each in self.session.get_inputs()]
        self.outputs = [each.name for each in self.session.get_outputs()]
        self.nbytes = 0  # its floor is not ours

    def open(self, prompts: Sequence[Tensor], capacity: int) -> OnnxSession:
        """A session with one row a prompt."""
        return OnnxSession(self, prompts, capacity)

    def _export(self, step: _Step, path: Path) -> None:
        size = self.own.width // self.own.heads
        past, prompt = torch.zeros(2, self.own.heads, 3, size), torch.zeros(1, self.own.heads, 5, size)
        count = len(self.own.layers)
        kinds = ("keys", "values", "prompt_keys", "prompt_values")
        names = ["x", *(f"{kind}{index}" for index in range(count) for kind in kinds)]
        grown = [f"new_{kind}{index}" for index in range(count) for kind in kinds[:2]]
        axes: dict[str, dict[int, str]] = {"x": {0: "rows"}, "logits": {0: "rows"}}
        for name in (*names[1:], *grown):
            rows, columns = ("clips", "words") if name.startswith("prompt") else ("rows", "columns")
            axes[name] = {0: rows, 2: columns + ("_out" if name.startswith("new") else "")}
        caches = [past, past, prompt, prompt] * count
        with torch.inference_mode():
            torch.onnx.export(
                step,
                (torch.zeros(2, self.own.width), *caches),
                str(path),
                input_names=names,
                output_names=["logits", *grown],
                dynamic_axes=axes,
                opset_version=17,
                dynamo=False,
            )


class OnnxSession:
    """One batch; caches stay ONNX Runtime's own, so that nothing is copied between steps but by the graph."""

    def __init__(self, decoder: OnnxDecoder, prompts: Sequence[Tensor], capacity: int) -> None:
        import onnxruntime

        self.decoder, self.clips, self.place = decoder, len(prompts), 0
        # Projected prompts and positions are those of our own session.
        own = decoder.own.open(prompts, capacity)
        self.positions = own.positions
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        self.prompt = [[value(part.float().numpy()) for part in pair] for pair in own.prompt]
        self.caches: list[Any] = []
        self.begin([], [torch.zeros(4, 0)])

    def begin(self, rows: Sequence[int], columns: Sequence[Tensor]) -> None:
        """Caches as long as what was heard; they hold zeros, for only the time matters there."""
        import onnxruntime

        own = self.decoder.own
        self.place = columns[0].shape[1]
        empty = torch.zeros(2 * self.clips, own.heads, self.place, own.width // own.heads).numpy()
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        self.caches = [value(empty) for _ in range(2 * len(own.layers))]

    def step(self, columns: Tensor) -> Tensor:
        """Hear one column of every clip; guided logits (clips, codebooks, vocabulary)."""
        import onnxruntime

        own, session = self.decoder.own, self.decoder.session
        x = (own.embed(columns) + self.positions[self.place]).repeat(2, 1)
        given = [onnxruntime.OrtValue.ortvalue_from_numpy(x.numpy())]
        for index, prompt in enumerate(self.prompt):
            given += [*self.caches[2 * index : 2 * index + 2], *prompt]
        binding = session.io_binding()
        for name, each in zip(self.decoder.names, given, strict=True):
            binding.bind_ortvalue_input(name, each)
        for name in self.decoder.outputs:
            binding.bind_output(name)
        session.run_with_iobinding(binding)
        logits, *self.caches = binding.get_outputs()
        self.place += 1
        both = torch.from_numpy(logits.numpy()).view(-1, own.codebooks, own.vocabulary)
        conditional, unconditional = both.chunk(2)
        return torch.lerp(unconditional, conditional, own.guidance_scale)


def open_onnx(folder: Path, guidance: float) -> OnnxDecoder:
    """The contender; its files are removed when the program ends."""
    scratch = tempfile.TemporaryDirectory(prefix="albumgen-onnx-")
    decoder = OnnxDecoder(folder, Path(scratch.name), guidance)
    scratch.cleanup()
    return decoder
