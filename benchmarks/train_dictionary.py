"""A small sparse autoencoder of the built-in Gemma 3 270M, trained on the built-in passages, for configs/sae.yaml.

    python benchmarks/train_dictionary.py [--out FOLDER] [--latents 1024] [--active 16] [--steps 1000]

It has TopK latents over the residual stream after layer 9, and is written in the format of SAELens. The texts are few, so
its latents serve to try `collect.sae`, and say little of the model.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from glasso_cli.collection.batch import join
from glasso_cli.collection.capture import Capture
from glasso_cli.config import MaskSection
from glasso_cli.corpora.topics import TOPICS, passages
from glasso_cli.corpora.windows import batches, special_frame, tokenize
from glasso_cli.hooks import record, resolve_hook_points
from glasso_cli.models.dictionaries.check import check_dictionary
from glasso_cli.models.dictionaries.registry import load_dictionary
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import padding_id

MODEL, LAYER = "builtin:gemma-3-270m", 9
BATCH = 1_024  # tokens
RATE = 3e-3  # of Adam, falling to zero


def main() -> None:
    arguments = _arguments()
    torch.manual_seed(0)
    x = activations()
    print(f"{len(x):,} tokens of {x.shape[1]} coordinates")
    tensors = trained(x, arguments.latents, arguments.active, arguments.steps)
    write(arguments.out, tensors, arguments.active)
    check = check_dictionary(load_dictionary(arguments.out), x[torch.randperm(len(x))[:4_096]])
    print(f"{arguments.out}: FVU {check.fvu:.3f}, {check.l0:.1f} latents a token, {len(check.dead)} never active")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/dictionary"))
    parser.add_argument("--latents", type=int, default=1_024)
    parser.add_argument("--active", type=int, default=16, help="latents at a token")
    parser.add_argument("--steps", type=int, default=1_000)
    return parser.parse_args()


def activations() -> torch.Tensor:
    """The tokens ``(n, d)`` that `collect` would keep at the hook point, in float32."""
    loaded = load_model(MODEL)
    texts = [text for topic in TOPICS for text in passages(topic)]
    corpus = tokenize(texts, loaded.tokenizer, max_length=512, max_tokens=None)
    points = resolve_hook_points(loaded.model, [f"resid.{LAYER}"])
    with record(loaded.model, points) as recorder:
        reader = Capture(recorder, points, special_frame(loaded.tokenizer), MaskSection())
        pages = batches(corpus.windows, budget=1_024, pad_id=padding_id(loaded.tokenizer), mixed_lengths=True)
        sample = reader.set_limits(join([reader.read(page) for page in pages]))
    return sample.values[sample.kept]


def trained(x: torch.Tensor, latents: int, active: int, steps: int) -> dict[str, torch.Tensor]:
    """Weights of an autoencoder of ``x (n, d)`` with ``active`` of ``latents`` latents at a token.

    It is trained on activations of mean norm √d; the factor is then multiplied into the weights.
    """
    scale = x.shape[1] ** 0.5 / float(x.norm(dim=1).mean())
    x = x * scale
    b_dec = x.mean(0).requires_grad_()
    directions = torch.nn.functional.normalize(torch.randn(latents, x.shape[1]), dim=1)
    W_dec = directions.clone().requires_grad_()
    W_enc = directions.T.clone().requires_grad_()
    b_enc = torch.zeros(latents, requires_grad=True)
    optimiser = torch.optim.Adam([W_enc, b_enc, W_dec, b_dec], lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    variance = (x - x.mean(0)).square().sum(1).mean()
    for step in range(steps):
        batch = x[torch.randint(len(x), (BATCH,))]
        values, columns = ((batch - b_dec) @ W_enc + b_enc).relu().topk(active, dim=1)
        z = torch.zeros(BATCH, latents).scatter(1, columns, values)
        loss = (z @ W_dec + b_dec - batch).square().sum(1).mean() / variance
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            W_dec /= W_dec.norm(dim=1, keepdim=True)
        if step % 100 == 0:
            print(f"step {step:>5,}: FVU {loss.item():.3f}", flush=True)
    weights = {"W_enc": W_enc * scale, "b_enc": b_enc, "W_dec": W_dec / scale, "b_dec": b_dec / scale}
    return {name: value.detach().contiguous() for name, value in weights.items()}


def write(folder: Path, tensors: dict[str, torch.Tensor], active: int) -> None:
    """The dictionary in the format of SAELens."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    d, latents = tensors["W_enc"].shape
    settings: dict[str, Any] = {
        **{"architecture": "topk", "d_in": d, "d_sae": latents, "k": active, "dtype": "float32"},
        **{"apply_b_dec_to_input": True, "normalize_activations": "none"},
        "metadata": {"sae_lens_version": "6.0.0", "model_name": MODEL, "hook_name": f"blocks.{LAYER}.hook_resid_post"},
    }
    save_file(tensors, folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
