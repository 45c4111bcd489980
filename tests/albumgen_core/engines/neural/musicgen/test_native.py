"""The optional C kernel against the Python it replaces."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import MusicgenForCausalLM

from albumgen_core.engines.neural import musicgen
from albumgen_core.engines.neural.musicgen import native, native_session
from albumgen_core.engines.neural.musicgen.checkpoint import Checkpoint
from albumgen_core.engines.neural.musicgen.decoder import FastDecoder
from albumgen_core.engines.neural.musicgen.linear import Int8Linear, balanced_int8, pack
from albumgen_core.engines.neural.musicgen.session import FastSession
from tests.checkpoints.musicgen import tiny_config

CPU = torch.device("cpu")
SOURCE = Path(musicgen.__file__).with_name("_native.c")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler here")
    built = tmp_path_factory.mktemp("native") / "_native.so"
    flags = ["-O3", "-fopenmp", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "-o", str(built), str(SOURCE), "-lm"], check=True, timeout=120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(native.ENVIRONMENT, str(built))
        native.library.cache_clear()
        if native.library() is None:
            pytest.skip("this CPU lacks AVX-512 VNNI")
        yield
    native.library.cache_clear()


def build(heads: int) -> Checkpoint:
    config = tiny_config(hidden=64)
    config.decoder.num_attention_heads = heads
    torch.manual_seed(0)
    model = MusicgenForCausalLM(config.decoder)
    for weight in model.parameters():
        weight.data.normal_(0, weight.shape[-1] ** -0.5).add_(1.0 if weight.ndim == 1 else 0.0)
    readers = {f"decoder.{name}": (lambda w=w: w.detach()) for name, w in model.state_dict().items()}
    return Checkpoint(Path("memory"), config, readers)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return build(heads=4)


def prompts() -> list[torch.Tensor]:
    return [torch.randn(n, 64, generator=torch.Generator().manual_seed(n)) for n in (3, 17, 8)]


def columns() -> torch.Tensor:
    return torch.randint(0, 64, (3, 4, 90), generator=torch.Generator().manual_seed(5))


def rounded(x: torch.Tensor, loud: float = native.OUTLIER_THRESHOLD) -> torch.Tensor:
    """What a row of activations keeps: steps of its own, and what is louder than they reach in full."""
    reach = torch.minimum(x.abs().amax(1), loud * x.abs().mean(1)).clamp_min(1e-30)[:, None]
    steps = (x / (reach / 127)).round()
    return torch.where(steps.abs() > 127, x, steps * reach / 127)


@pytest.mark.parametrize("shape", [(96, 32), (512, 2048), (64, 48)])
@pytest.mark.parametrize("rows", [1, 2, 7, 8, 19])
def test_products_are_those_of_what_rounding_keeps(kernel: None, shape: tuple[int, int], rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    weight = torch.randn(shape, generator=generator)
    x = torch.randn(rows, shape[1], generator=generator)
    x[:, :: max(1, shape[1] // 5)] *= 30 * torch.rand(rows, 1, generator=generator)  # loud channels
    before = x.clone()
    ours = pack(weight, "int8", CPU)
    assert isinstance(ours, native.NativeLinear)
    integers, scales, balance = (part.double() for part in balanced_int8(weight))
    expected = rounded(x.double() * balance) @ integers.T * scales
    assert (ours(x) - expected).abs().max() < 2e-3 * expected.std()
    assert (ours(x) - Int8Linear(weight)(x)).abs().max() < 5e-2 * expected.std()
    assert torch.equal(x, before)
    assert torch.equal(ours(torch.zeros_like(x)), torch.zeros(rows, shape[0]))


def test_a_row_of_a_product_depends_on_itself_alone(kernel: None) -> None:
    ours = pack(torch.randn(64, 128, generator=torch.Generator().manual_seed(0)), "int8", CPU)
    x = torch.randn(31, 128, generator=torch.Generator().manual_seed(1)) ** 5  # some louder than others
    together = ours(x)
    assert all(torch.equal(ours(x[row : row + 1])[0], together[row]) for row in range(31))


@pytest.mark.parametrize("heads", [4, 1], ids=["heads of 16", "heads of 64"])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_whole_steps_equal_those_of_python(kernel: None, heads: int, scale: float) -> None:
    decoder = FastDecoder(build(heads), CPU, "int8", scale)
    fast = decoder.open(prompts(), 90)
    assert isinstance(fast, native_session.NativeSession)
    slow = FastSession(decoder, prompts(), 90)
    tokens = columns()
    starts = [tokens[0, :, :0], tokens[1, :, :33], tokens[2, :, :7]]
    for session in (fast, slow):
        session.begin([0, 1, 2], starts)

    def check(rows: list[int], steps: range) -> None:
        for step in steps:
            expected = slow.step(tokens[rows, :, step])
            # Keys and values are kept in 8 bits here, in 32 there.
            assert (fast.step(tokens[rows, :, step]) - expected).abs().max() < 0.15 * expected.std()

    check([0, 1, 2], range(20))
    for session in (fast, slow):
        session.keep([2, 1])
    check([2, 1], range(20, 30))


def test_a_row_hears_nothing_of_its_neighbours(kernel: None, checkpoint: Checkpoint) -> None:
    decoder = FastDecoder(checkpoint, CPU, "int8", 3.0)
    alone, together = decoder.open(prompts()[1:2], 40), decoder.open(prompts(), 40)
    tokens = columns()
    for step in range(40):
        mine = alone.step(tokens[1:2, :, step])[0]
        assert torch.allclose(together.step(tokens[:, :, step])[1], mine, atol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_columns_heard_at_once_leave_what_steps_leave(
    kernel: None, checkpoint: Checkpoint, scale: float
) -> None:
    """To the bit: so a clip that is resumed goes on as if it had never stopped."""
    decoder = FastDecoder(checkpoint, CPU, "int8", scale)
    stepped, heard = decoder.open(prompts(), 90), decoder.open(prompts(), 90)
    tokens = columns()
    for step in range(37):  # two full bunches, and some more
        stepped.step(tokens[:, :, step])
    heard.begin([0, 1, 2], [tokens[0, :, :37], tokens[1, :, :37], tokens[2, :, :37]])
    for step in range(37, 60):
        columns_now = tokens[:, :, step]
        assert torch.equal(heard.step(columns_now), stepped.step(columns_now))


def test_clips_of_different_lengths_leave_one_after_another(kernel: None, checkpoint: Checkpoint) -> None:
    decoder = FastDecoder(checkpoint, CPU, "int8", 3.0)
    tokens = columns()
    together = decoder.open(prompts(), 40)
    alone = [decoder.open(prompts()[clip : clip + 1], 40) for clip in range(3)]
    left = [0, 1, 2]
    for step in range(30):
        for clip, length in ((1, 10), (0, 20)):
            if step == length:
                together.keep([place for place, other in enumerate(left) if other != clip])
                left.remove(clip)
        logits = together.step(tokens[left, :, step])
        for place, clip in enumerate(left):
            mine = alone[clip].step(tokens[clip : clip + 1, :, step])[0]
            assert torch.allclose(logits[place], mine, atol=1e-5)
    together.begin([0], [tokens[2, :, :5]])  # and who is left may start anew
    alone[2].begin([0], [tokens[2, :, :5]])
    assert torch.allclose(together.step(tokens[2:, :, 5]), alone[2].step(tokens[2:, :, 5]), atol=1e-5)


def test_a_kernel_of_another_version_is_left_alone(
    kernel: None, checkpoint: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "VERSION", native.VERSION + 1)
        native.library.cache_clear()
        assert native.library() is None
        assert "another version" in caplog.text
        assert isinstance(FastDecoder(checkpoint, CPU, "int8", 3.0).layers[0].qkv, Int8Linear)
    native.library.cache_clear()


def test_the_number_of_threads_does_not_change_the_music(kernel: None, checkpoint: Checkpoint) -> None:
    decoder = FastDecoder(checkpoint, CPU, "int8", 3.0)
    tokens = columns()
    results = []
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        session = decoder.open(prompts(), 40)
        results.append(torch.stack([session.step(tokens[:, :, step]) for step in range(20)]))
        torch.set_num_threads(before)
    assert torch.equal(*results)


def test_threads_that_wait_for_a_busy_core_still_meet(kernel: None, checkpoint: Checkpoint) -> None:
    decoder = FastDecoder(checkpoint, CPU, "int8", 3.0)
    tokens, before = columns(), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 16):  # far more than cores: whoever arrives first has to sleep
            torch.set_num_threads(threads)
            session = decoder.open(prompts(), 40)
            results.append(torch.stack([session.step(tokens[:, :, step]) for step in range(30)]))
    finally:
        torch.set_num_threads(before)
    # The heads are torch's, whose products may be cut differently for other numbers of threads.
    assert torch.allclose(results[0], results[1], atol=1e-5)


@pytest.mark.parametrize("choice", ["0", "/nowhere/_native.so"])
def test_without_the_kernel_pytorch_does_the_work(checkpoint: Checkpoint, choice: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(native.ENVIRONMENT, choice)
        native.library.cache_clear()
        decoder = FastDecoder(checkpoint, CPU, "int8", 3.0)
        assert isinstance(decoder.layers[0].qkv, Int8Linear)
        assert type(decoder.open(prompts(), 40)) is FastSession
    native.library.cache_clear()
