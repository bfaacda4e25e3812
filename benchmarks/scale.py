"""What one token and one layer cost, measured here and computed for a model of 70 billion parameters.

    python benchmarks/scale.py [--sizes 2048 4096 8192 16384] [--inverse-up-to 8192] [--forward-only]

Times are processor times of one thread, so that other work on the machine changes them little. Every size is measured in
this process, and each is compared with its number of operations over the rate of matrix products in the same run. The
model of 70 billion parameters is only computed: its rates are arguments.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

TOKENS = 1_024  # of the measured moments
PANEL = 256  # columns of a panel of moments: what lies above the diagonal, and half of the panels on it
HIDDEN = (512, 1_024, 2_048)  # of the measured random models


@dataclass(frozen=True)
class Model:
    """A transformer whose layers are collected, and the texts."""

    parameters: float
    neurons: int  # of a layer
    layers: int
    tokens: float
    blocks: int

    def forward(self) -> float:
        """Operations of a forward pass of all layers over all tokens: two per parameter and token."""
        return 2 * self.parameters * self.tokens

    def moments(self) -> float:
        """Operations of the second moments of a layer."""
        return moments_operations(self.neurons) * self.tokens

    def accumulators(self) -> float:
        """Bytes of the moments of one layer while a block is summed: float64, the whole square."""
        return 8.0 * self.neurons**2

    def block_bytes(self) -> float:
        """Bytes of the file of one block of a layer: float32, the packed triangle."""
        return 4 * self.neurons * (self.neurons + 1) / 2


LARGE = Model(70e9, 28_672, 80, 10e6, 64)


def moments_operations(neurons: int) -> float:
    """Operations for one token: two for each pair in the panels on and above the diagonal."""
    starts = range(0, neurons, PANEL)
    return float(sum(2 * min(PANEL, neurons - start) * (neurons - start) for start in starts))


def main() -> None:
    arguments = _arguments()
    import torch

    torch.set_num_threads(1)
    rates = {kind: _rate(kind) for kind in (torch.float32, torch.float64)}
    single, double = rates[torch.float32], rates[torch.float64]
    print(f"matrix products on one thread: {single / 1e9:.0f} GFLOP/s in float32, {double / 1e9:.0f} in float64\n")
    _table(
        ("model", "million parameters", "GFLOP per token", "ms per token", "of the rate of products"),
        [_forward(hidden, single) for hidden in HIDDEN],
    )
    if arguments.forward_only:
        return
    _table(
        ("neurons", "MFLOP per token", "ms per token", "of the rate of products", "MB of sums", "MB of a block's file"),
        [_moments(size, double) for size in arguments.sizes],
    )
    _table(
        ("neurons", "GFLOP", "s of Cholesky factor and inverse (CI)", "of the rate of products"),
        [_inverse(size, double) for size in arguments.sizes if size <= arguments.inverse_up_to],
    )
    _projection(LARGE, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_048, 4_096, 8_192, 16_384])
    parser.add_argument("--inverse-up-to", type=int, default=8_192)
    parser.add_argument("--forward-only", action="store_true")
    parser.add_argument("--forward-rate", type=float, default=400e12, help="operations per second of a GPU in bfloat16")
    parser.add_argument("--moments-rate", type=float, default=45e12, help="operations per second of a GPU in float64")
    parser.add_argument("--fit-rate", type=float, default=2e12, help="operations per second of the fitting machine")
    return parser.parse_args()


def _rate(kind: object) -> float:
    """Operations per second of products of matrices of this type that fill no cache."""
    import torch

    size = 2_048
    a = torch.ones(size, size, dtype=kind)  # type: ignore[call-overload]
    return 2 * size**3 / _seconds(lambda: a @ a)


def _seconds(work: Callable[[], object]) -> float:
    """Processor time of ``work``: the least of three times after one that does not count."""
    times = []
    for _ in range(4):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times[1:])


def _forward(hidden: int, rate: float) -> Sequence[str]:
    """A random Llama without its head, which `collect` leaves out."""
    import torch
    from transformers import LlamaConfig, LlamaModel

    config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=4,
        num_attention_heads=hidden // 64,
        vocab_size=256,
    )
    model = LlamaModel(config).eval()
    ids = torch.zeros(2, 512, dtype=torch.long)
    parameters = sum(value.numel() for value in model.layers.parameters())
    with torch.inference_mode():
        seconds = _seconds(lambda: model(input_ids=ids)) / ids.numel()
    operations = 2 * parameters
    return (
        f"4 layers, {hidden:,} wide",
        f"{parameters / 1e6:.0f}",
        f"{operations / 1e9:.2f}",
        f"{1e3 * seconds:.2f}",
        f"{operations / seconds / rate:.0%}",
    )


def _moments(neurons: int, rate: float) -> Sequence[str]:
    import torch

    from glasso_cli.collection.block_moments import BlockMoments

    sums = BlockMoments(neurons)
    tokens = TOKENS if neurons <= 8_192 else TOKENS // 2
    values = torch.randn(tokens, neurons)
    seconds = _seconds(lambda: sums.update(values)) / tokens
    operations = moments_operations(neurons)
    model = Model(0, neurons, 1, 0, 1)
    return (
        f"{neurons:,}",
        f"{operations / 1e6:,.0f}",
        f"{1e3 * seconds:.2f}",
        f"{operations / seconds / rate:.0%}",
        f"{model.accumulators() / 1e6:,.0f}",
        f"{model.block_bytes() / 1e6:,.0f}",
    )


def _inverse(neurons: int, rate: float) -> Sequence[str]:
    from scipy.linalg.lapack import dpotrf, dpotri

    matrix = np.full((neurons, neurons), 0.1, order="F")
    np.fill_diagonal(matrix, 1.0)
    started = time.process_time()
    factor, _ = dpotrf(matrix, overwrite_a=True)
    dpotri(factor, overwrite_c=True)
    seconds = time.process_time() - started
    operations = float(neurons) ** 3
    return f"{neurons:,}", f"{operations / 1e9:,.0f}", f"{seconds:.1f}", f"{operations / seconds / rate:.0%}"


def _projection(model: Model, arguments: argparse.Namespace) -> None:
    forward, moments = model.forward() / arguments.forward_rate, model.moments() / arguments.moments_rate
    inverse = float(model.neurons) ** 3
    half = model.forward() / 2 / arguments.forward_rate
    gb = 1e9
    rows = [
        ("forward pass through all layers", f"{model.forward():.1e} FLOP", f"{forward / 3600:.1f} GPU hours"),
        ("moments of one layer", f"{model.moments():.1e} FLOP", f"{moments / 60:.1f} GPU minutes"),
        ("one layer: half of the layers on average, and moments", "", f"{(half + moments) / 3600:.1f} GPU hours"),
        (
            f"all {model.layers} layers, one by one",
            f"{model.layers * (model.forward() / 2 + model.moments()):.1e} FLOP",
            f"{model.layers * (half + moments) / 3600:.0f} GPU hours",
        ),
        ("sums of one layer while a block is read", f"{model.accumulators() / gb:.1f} GB", "GPU memory"),
        ("file of one block", f"{model.block_bytes() / gb:.1f} GB", "disk"),
        (
            f"{model.blocks} blocks, and the same again merged",
            f"{2 * model.blocks * model.block_bytes() / gb:.0f} GB",
            "disk",
        ),
        ("fit: 5 buffers of the square", f"{5 * model.accumulators() / gb:.0f} GB", "memory"),
        (
            "fit of one alpha: 13 to 35 CI",
            f"{13 * inverse:.1e} to {35 * inverse:.1e} FLOP",
            _span(inverse, arguments.fit_rate),
        ),
    ]
    _table(("what", "how much", "at the rates given"), rows)


def _span(inverse: float, rate: float) -> str:
    return f"{13 * inverse / rate / 60:.0f} to {35 * inverse / rate / 60:.0f} minutes"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |")
    print()


if __name__ == "__main__":
    main()
