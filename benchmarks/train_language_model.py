"""A small language model of an architecture without weights offline, for configs/mamba.yaml and configs/moe.yaml.

    python benchmarks/train_language_model.py --architecture mamba|moe [--out FOLDER] [--steps N] [--threads 2]

It is trained for a few minutes on 150 of the 180 built-in passages, and written as a model folder of the hub, with a
tokenizer of 1,024 byte pairs. At the end, the loss on the other 30 passages stands beside that of two models that do not
look at the text before a token: all tokens alike, and the frequencies of the tokens in the training texts. The texts are few,
so the model serves to try `mixer.N` and `expert.N.E`, and says nothing about models of this kind.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from glasso_cli.corpora.topics import TOPICS, passages
from glasso_cli.models.load import quiet_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

VOCABULARY = 1_024
END = "<end>"  # before every text, and in the place of padding
HELD_OUT = 10  # passages of each topic
RATE = 3e-3  # of AdamW, rising during the first tenth of the steps and falling to zero


@dataclass(frozen=True)
class Plan:
    """How long an architecture trains. A longer training would learn the few texts by heart."""

    steps: int
    windows: int  # of a step
    length: int  # of a window, in tokens; a Mamba without its own kernels takes time with the square of it


PLANS = {"mamba": Plan(steps=200, windows=32, length=32), "moe": Plan(steps=400, windows=4, length=256)}


def main() -> None:
    with quiet_transformers():
        run(_arguments())


def run(arguments: argparse.Namespace) -> None:
    """Train, save, and print how well the model predicts texts that it has not seen."""
    plan = PLANS[arguments.architecture]
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    seen, unseen = divided(HELD_OUT)
    tokenizer = trained_tokenizer(seen)
    model = fresh_model(arguments.architecture, len(tokenizer))
    print(f"{arguments.architecture}: {model.num_parameters():,} parameters, {len(tokenizer):,} kinds of tokens")
    plan = replace(plan, steps=arguments.steps or plan.steps)
    train(model, token_stream(tokenizer, seen), plan)
    folder = arguments.out or Path("runs/models") / arguments.architecture
    save(model, tokenizer, folder)
    print(f"after {plan.steps:,} steps, on texts that were not trained on:")
    for name, loss in held_out_losses(model, tokenizer, seen, unseen).items():
        print(f"{name:>28}: {loss:.3f} nats per token")
    print(folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", choices=PLANS, required=True)
    parser.add_argument("--out", type=Path, help="default: runs/models/ARCHITECTURE")
    parser.add_argument("--steps", type=int, help="default: 200 for mamba, 400 for moe")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def divided(held_out: int) -> tuple[list[str], list[str]]:
    """The built-in passages for training, and the last ones of each topic."""
    texts = [passages(topic) for topic in TOPICS]
    seen = [text for topic in texts for text in topic[:-held_out]]
    return seen, [text for topic in texts for text in topic[-held_out:]]


def trained_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte pairs of ``texts``; ``<end>`` is token 0."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END, pad_token=END)


def fresh_model(architecture: str, vocabulary: int) -> PreTrainedModel:
    """Four layers with random weights: a Mamba of 256 channels, or a Mixtral of four experts, two at a token."""
    from transformers import AutoModelForCausalLM, MambaConfig, MixtralConfig

    special: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    if architecture == "mamba":
        config: Any = MambaConfig(
            vocab_size=vocabulary,
            hidden_size=128,
            num_hidden_layers=4,
            state_size=4,
            initializer_range=0.02,
            use_cache=False,
            **special,
        )
    else:
        config = MixtralConfig(
            vocab_size=vocabulary,
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            num_local_experts=4,
            num_experts_per_tok=2,
            max_position_embeddings=1_024,
            sliding_window=None,
            router_aux_loss_coef=0.02,
            tie_word_embeddings=True,
            **special,
        )
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    return model


def token_stream(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    """All tokens of ``texts``, one text after the other, ``(n,)``."""
    return torch.tensor([token for text in texts for token in tokenizer(text)["input_ids"]])


def train(model: PreTrainedModel, stream: torch.Tensor, plan: Plan) -> None:
    """Minimise the loss on random windows of ``stream``; a mixture of experts also balances its experts."""
    options = {"output_router_logits": True} if hasattr(model.config, "num_local_experts") else {}
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, 10 * (step + 1) / plan.steps) * (1 - step / plan.steps)
    )
    start = time.perf_counter()
    model.train()
    for step in range(plan.steps):
        places = torch.randint(len(stream) - plan.length, (plan.windows, 1)) + torch.arange(plan.length)
        loss = model(stream[places], labels=stream[places], **options).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 20 == 0:
            print(f"step {step:>5,}: {loss.item():.3f} nats per token, {time.perf_counter() - start:.0f} s", flush=True)
    model.eval()


def held_out_losses(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, seen: list[str], unseen: list[str]
) -> dict[str, float]:
    """Mean loss per token of ``unseen`` texts, in nats: of the model, and of models without context."""
    counts = np.bincount(token_stream(tokenizer, seen).numpy(), minlength=len(tokenizer)) + 1.0
    surprise = -np.log(counts / counts.sum())
    total, frequency, tokens = 0.0, 0.0, 0
    for text in unseen:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            total += float(model(ids, labels=ids).loss) * (ids.shape[1] - 1)
        frequency += float(surprise[ids[0, 1:].numpy()].sum())
        tokens += ids.shape[1] - 1
    return {
        "this model": total / tokens,
        "frequencies of the tokens": frequency / tokens,
        "all tokens alike": math.log(len(tokenizer)),
    }


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a folder in the format of the hub."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
