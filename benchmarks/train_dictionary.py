"""A small sparse autoencoder of the built-in Gemma 3 270M, trained on the built-in passages, for configs/sae.yaml.

    python benchmarks/train_dictionary.py [--out FOLDER] [--latents 1024] [--active 16] [--steps 1000] [--transcoder]

It has TopK latents over the residual stream after layer 9, and is written in the format of SAELens. With ``--transcoder``
it reads the input of the MLP of layer 9 and predicts its output, and is written in the format of sparsify, in a folder
``layers.9.mlp`` of ``--out``, which names both. The texts are few, so its latents serve to try `collect.sae`, and say little
of the model.
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
    points = [f"*layers.{LAYER}.mlp:in", f"*layers.{LAYER}.mlp:out"] if arguments.transcoder else [f"resid.{LAYER}"]
    x, *others = activations(points)
    y = others[0] if others else x
    print(f"{len(x):,} tokens of {x.shape[1]} coordinates")
    tensors = trained(x, y, arguments.latents, arguments.active, arguments.steps)
    write_as = write_transcoder if arguments.transcoder else write
    folder = write_as(arguments.out, tensors, arguments.active)
    rows = torch.randperm(len(x))[:4_096]
    check = check_dictionary(load_dictionary(folder), x[rows], y[rows] if others else None)
    print(f"{folder}: FVU {check.fvu:.3f}, {check.l0:.1f} latents a token, {len(check.dead)} never active")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/dictionary"))
    parser.add_argument("--latents", type=int, default=1_024)
    parser.add_argument("--active", type=int, default=16, help="latents at a token")
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--transcoder", action="store_true", help="from the input of an MLP to its output")
    return parser.parse_args()


def activations(names: list[str]) -> list[torch.Tensor]:
    """The tokens ``(n, d)`` that `collect` would keep at each hook point, in float32."""
    loaded = load_model(MODEL)
    texts = [text for topic in TOPICS for text in passages(topic)]
    corpus = tokenize(texts, loaded.tokenizer, max_length=512, max_tokens=None)
    points = [point for name in names for point in resolve_hook_points(loaded.model, [name])]
    with record(loaded.model, points) as recorder:
        reader = Capture(recorder, points, special_frame(loaded.tokenizer), MaskSection())
        pages = batches(corpus.windows, budget=1_024, pad_id=padding_id(loaded.tokenizer), mixed_lengths=True)
        sample = reader.set_limits(join([reader.read(page) for page in pages]))
    return list(sample.values[sample.kept].split([point.width for point in points], dim=1))


def trained(x: torch.Tensor, y: torch.Tensor, latents: int, active: int, steps: int) -> dict[str, torch.Tensor]:
    """Weights that predict ``y (n, d)`` from ``x (n, d)`` with ``active`` of ``latents`` latents at a token.

    An autoencoder where both are the same tensor: then b_dec is taken off x first. It is trained on activations of mean norm
    √d, a transcoder on those of mean distance √d from their mean; the factors are then multiplied into the weights.
    """
    alike = y is x
    centres = [torch.zeros(()), torch.zeros(())] if alike else [x.mean(0), y.mean(0)]
    scale, scale_out = (x.shape[1] ** 0.5 / float((part - c).norm(dim=1).mean()) for part, c in zip((x, y), centres))
    x, y = x * scale, y * scale_out
    b_dec = y.mean(0).requires_grad_()
    directions = torch.nn.functional.normalize(torch.randn(latents, x.shape[1]), dim=1)
    W_dec = (directions.clone() if alike else 0.1 * directions).requires_grad_()
    W_enc = directions.T.clone().requires_grad_()
    b_enc = torch.zeros(latents) if alike else -(x.mean(0) @ directions.T)
    b_enc.requires_grad_()
    optimiser = torch.optim.Adam([W_enc, b_enc, W_dec, b_dec], lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    variance = (y - y.mean(0)).square().sum(1).mean()
    for step in range(steps):
        rows = torch.randint(len(x), (BATCH,))
        read = x[rows] - b_dec if alike else x[rows]
        values, columns = (read @ W_enc + b_enc).relu().topk(active, dim=1)
        z = torch.zeros(BATCH, latents).scatter(1, columns, values)
        loss = (z @ W_dec + b_dec - y[rows]).square().sum(1).mean() / variance
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if alike:
            with torch.no_grad():
                W_dec /= W_dec.norm(dim=1, keepdim=True)
        if step % 100 == 0:
            print(f"step {step:>5,}: FVU {loss.item():.3f}", flush=True)
    weights = {"W_enc": W_enc * scale, "b_enc": b_enc, "W_dec": W_dec / scale_out, "b_dec": b_dec / scale_out}
    return {name: value.detach().contiguous() for name, value in weights.items()}


def write(folder: Path, tensors: dict[str, torch.Tensor], active: int) -> Path:
    """The dictionary in the format of SAELens, and where it is."""
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
    return folder


def write_transcoder(out: Path, tensors: dict[str, torch.Tensor], active: int) -> Path:
    """The transcoder in the format of sparsify, and where it is."""
    from safetensors.torch import save_file

    folder = out / f"layers.{LAYER}.mlp"
    folder.mkdir(parents=True, exist_ok=True)
    d, latents = tensors["W_enc"].shape
    named = {"encoder.weight": tensors["W_enc"].T.contiguous(), "encoder.bias": tensors["b_enc"]}
    save_file({**named, "W_dec": tensors["W_dec"], "b_dec": tensors["b_dec"]}, folder / "sae.safetensors")
    settings: dict[str, Any] = {"d_in": d, "num_latents": latents, "k": active, "activation": "topk", "transcode": True}
    (folder / "cfg.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()
