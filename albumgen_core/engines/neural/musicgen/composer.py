"""MusicGen as a Composer: prompts in, sound and its tokens out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly
from torch import Tensor

from albumgen_core.audio.types import Audio
from albumgen_core.engines.base import (
    CancelCheck,
    ComposeRequest,
    FractionCallback,
    ignore_progress,
    never_cancelled,
)
from albumgen_core.engines.neural.musicgen.clip_output import ClipOutput, SoundCallback, ignore_sound
from albumgen_core.engines.neural.musicgen.codec import Codec
from albumgen_core.engines.neural.musicgen.decoder_api import Decoder
from albumgen_core.engines.neural.musicgen.delay import TO_COMPOSE, DelayPattern
from albumgen_core.engines.neural.musicgen.generate import Callbacks, Row, generate
from albumgen_core.engines.neural.musicgen.resume import TokenFile, fingerprint
from albumgen_core.engines.neural.musicgen.sampling import Sampler, uniforms
from albumgen_core.engines.neural.musicgen.stream import SoundStream
from albumgen_core.engines.neural.musicgen.text import TextEncoder
from albumgen_core.engines.neural.musicgen.windows import WindowConfig, count_steps, plan_windows


class MusicGenComposer:
    """Text encoder, decoder and codec, joined.

    `name` is shown to people; `source` tells apart the checkpoints that share it (a folder's path).
    """

    def __init__(
        self,
        name: str,
        text: TextEncoder,
        decoder: Decoder,
        codec: Codec,
        *,
        channels: int,
        pad: int,
        sampler: Sampler,
        windows: WindowConfig,
        source: str = "",
    ) -> None:
        self.text, self.decoder, self.codec, self.sampler = text, decoder, codec, sampler
        self._name = name
        self._source = source
        self._channels = channels
        self._pattern = DelayPattern(codec.codebooks * channels, channels, pad, decoder.device)
        self._window = round(windows.seconds * codec.frame_rate)
        self._stride = round(windows.stride * codec.frame_rate)

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self._name

    @property
    def sample_rate(self) -> int:
        """Sample rate of the codec, in Hz."""
        return self.codec.sample_rate

    @torch.inference_mode()
    def compose(
        self,
        requests: Sequence[ComposeRequest],
        *,
        on_progress: FractionCallback = ignore_progress,
        is_cancelled: CancelCheck = never_cancelled,
        on_sound: SoundCallback = ignore_sound,
    ) -> list[Audio | None]:
        """Compose a batch; see `Composer.compose`.

        Progress counts decoder steps, those that an interrupted attempt has taken included; cancellation is
        looked for before each of them. A clip depends on its own request alone: neither its batch nor an
        interruption changes what is drawn for it.
        `on_sound` gets each clip from its beginning while its end is still being composed.
        """
        rows = [self._row(request) for request in requests]
        planned = self._steps(rows)
        outputs = [
            ClipOutput(row, self._stream(row), self._file(request, row), partial(on_sound, position))
            for position, (row, request) in enumerate(zip(rows, requests, strict=True))
        ]
        # Steps that an interrupted attempt has taken count as done, so that a forecast stays true.
        taken = planned - self._steps(rows)
        if 0 < taken < planned:  # said at once: hearing what is known outputs a moment
            on_progress(taken / planned)
        callbacks = Callbacks(
            progress=lambda done, total: on_progress((taken + done) / (taken + total)),
            cancelled=is_cancelled,
            frames=lambda index: outputs[index].grow(),
        )
        generate(
            self.decoder,
            self._pattern,
            rows,
            self.sampler,
            callbacks,
            window=self._window,
            stride=self._stride,
        )
        sounds = [None if output.row.cancelled else output.finish() for output in outputs]
        return [
            None if sound is None else self._audio(sound, row, request.seconds)
            for sound, row, request in zip(sounds, rows, requests, strict=True)
        ]

    def _row(self, request: ComposeRequest) -> Row:
        if request.seconds <= 0:
            raise ValueError(f"a clip must last longer than {request.seconds} seconds")
        # Rounded first: 0.58 s * 50 Hz is 28.999… in floating point.
        total = max(1, math.ceil(round(request.seconds * self.codec.frame_rate, 6)))
        device = self.decoder.device
        tokens = torch.full((self._pattern.codebooks, total), TO_COMPOSE, dtype=torch.int64, device=device)
        known = 0
        if request.continue_from is not None:
            earlier = self._tokens_of(request.continue_from)[:, :total]
            known = earlier.shape[1]
            tokens[:, :known] = earlier
        noise = uniforms(request.seed, total, self._pattern.codebooks).to(device)
        return Row(self.text.encode(request.prompt), tokens, noise, known)

    def _steps(self, rows: Sequence[Row]) -> int:
        """Decoder steps until the last of `rows` is finished, from where they stand."""
        plans = (plan_windows(row.total, row.known, self._window, self._stride) for row in rows)
        return max((count_steps(plan, self._pattern.longest) for plan in plans), default=0)

    def _stream(self, row: Row) -> SoundStream:
        return SoundStream(self.codec, self._channels, row.total)

    def _file(self, request: ComposeRequest, row: Row) -> TokenFile | None:
        """The request's checkpoint, after the row has been brought to where it stands."""
        if request.checkpoint is None:
            return None
        identity = fingerprint(
            model=f"{self._name} {self._source}",
            decoder=self.decoder.name,
            guidance=self.decoder.guidance_scale,
            sampler=str(self.sampler),
            window=self._window,
            stride=self._stride,
            prompt=request.prompt,
            seed=request.seed,
            frames=row.total,
            continued=row.tokens[:, : row.known].tolist(),
        )
        file = TokenFile(request.checkpoint, identity)
        saved = file.load(self._pattern.codebooks)
        if saved is not None and row.known < saved.shape[1] <= row.total:
            row.known = saved.shape[1]
            row.tokens[:, : row.known] = torch.from_numpy(saved.astype(np.int64))
        return file

    def _tokens_of(self, audio: Audio) -> Tensor:
        """The clip's tokens: those kept beside it, else its sound encoded."""
        if audio.tokens is not None and audio.tokens.shape[0] == self._pattern.codebooks:
            return torch.from_numpy(audio.tokens.astype(np.int64)).to(self.decoder.device)
        samples = audio.samples
        if audio.sample_rate != self.sample_rate:
            divisor = math.gcd(audio.sample_rate, self.sample_rate)
            samples = resample_poly(
                samples, self.sample_rate // divisor, audio.sample_rate // divisor, axis=1
            )
        if self._channels == 1:
            samples = samples.mean(axis=0, keepdims=True)
        elif samples.shape[0] == 1:
            samples = np.repeat(samples, 2, axis=0)
        tokens = self.codec.encode(torch.from_numpy(samples.astype(np.float32)).to(self.codec.device))
        # Left and right interleave: codebook 0 left, codebook 0 right, codebook 1 left, …
        return tokens.transpose(0, 1).reshape(-1, tokens.shape[-1]).to(self.decoder.device)

    def _audio(self, samples: NDArray[np.float32], row: Row, seconds: float) -> Audio:
        wanted = min(round(seconds * self.sample_rate), samples.shape[1])
        tokens = row.tokens.cpu().numpy().astype(np.int16)
        return Audio(np.ascontiguousarray(samples[:, :wanted]), self.sample_rate, tokens)
