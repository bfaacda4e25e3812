"""Another value for every field of the configuration, and which fields are part of no cache key."""

from __future__ import annotations

from typing import Any

from glasso_cli.config import Config

# Every field that is not a section, and a value other than its default. A new field belongs here; whether it
# is part of the key is what `runtime` in its definition says, and RUNTIME repeats on purpose.
OTHER_VALUE: dict[tuple[str, ...], Any] = {
    ("name",): "another",
    ("out",): "elsewhere",
    ("seed",): 1,
    ("model", "kind"): "torch",
    ("model", "target"): "package.networks:another",
    ("model", "args"): {"width": 2},
    ("model", "weights"): "b.safetensors",
    ("model", "adapter"): "package.networks:adapter",
    ("model", "id"): "another/model",
    ("model", "revision"): "v2",
    ("model", "dtype"): "bfloat16",
    ("model", "device"): "cuda:1",
    ("model", "device_map"): "auto",
    ("model", "trust"): ["pickle"],
    ("corpora", "NAME", "dataset"): "another/dataset",
    ("corpora", "NAME", "config"): "subset",
    ("corpora", "NAME", "split"): "test",
    ("corpora", "NAME", "revision"): "v2",
    ("corpora", "NAME", "streaming"): True,
    ("corpora", "NAME", "files"): ["b.txt"],
    ("corpora", "NAME", "lines"): True,
    ("corpora", "NAME", "text"): "review",
    ("corpora", "NAME", "topic"): "another topic",
    ("corpora", "NAME", "arrays"): "b.npy",
    ("corpora", "NAME", "images"): "more images",
    ("corpora", "NAME", "image"): "picture",
    ("corpora", "NAME", "resize"): 32,
    ("corpora", "NAME", "crop"): 24,
    ("corpora", "NAME", "channels"): 1,
    ("corpora", "NAME", "mean"): [0.5],
    ("corpora", "NAME", "std"): 0.25,
    ("corpora", "NAME", "module"): "package.data:another",
    ("corpora", "NAME", "max_documents"): 7,
    ("synth", "provider"): "local",
    ("synth", "model"): "another-model",
    ("synth", "revision"): "v2",
    ("synth", "base_url"): "http://localhost:8000/v1",
    ("synth", "api_key_env"): "ANOTHER_KEY",
    ("synth", "examples"): 7,
    ("synth", "attributes"): {"era": ["the past", "the future"]},
    ("synth", "temperature"): 0.0,
    ("synth", "top_p"): 0.5,
    ("synth", "max_tokens"): 100,
    ("synth", "near_duplicate"): 0.5,
    ("synth", "max_redraws"): 0,
    ("synth", "budget_usd"): 1.0,
    ("synth", "price_input"): 1.0,
    ("synth", "price_output"): 2.0,
    ("synth", "max_parallel"): 2,
    ("synth", "retries"): 1,
    ("synth", "timeout"): 5.0,
    ("synth", "batch"): 2,
    ("synth", "cache"): "answers",
    ("collect", "hook_points"): ["resid.2"],
    ("collect", "sae", "file"): "b",
    ("collect", "sae", "hook_point"): "resid.2",
    ("collect", "sae", "output"): "*layers.2.mlp:out",
    ("collect", "sae", "scale"): 2.0,
    ("collect", "sae", "centre"): True,
    ("collect", "sae", "least_documents"): 7,
    ("collect", "sae", "moments"): "sparse",
    ("collect", "neurons"): 12,
    ("collect", "max_tokens"): 1_000,
    ("collect", "max_length"): 64,
    ("collect", "blocks"): 4,
    ("collect", "transform"): "normal_scores",
    ("collect", "pilot_tokens"): 128,
    ("collect", "mask", "special"): False,
    ("collect", "mask", "first"): 0,
    ("collect", "mask", "massive"): None,
    ("collect", "mask", "border"): 2,
    ("collect", "lags"): 8,
    ("collect", "contexts"): False,
    ("collect", "null"): True,
    ("collect", "positions"): "mean",
    ("collect", "axes"): "bchw",
    ("collect", "batch_tokens"): 64,
    ("influence", "paths"): "all",
    ("influence", "layers"): [[1, 2]],
    ("influence", "min_effect"): 0.5,
    ("influence", "fdr"): 0.5,
    ("influence", "max_tokens"): 1_000,
    ("influence", "ablation"): True,
    ("influence", "keep"): "all",
    ("fit", "alpha"): [0.3],
    ("fit", "select", "rule"): "ebic",
    ("fit", "select", "alpha"): 0.2,
    ("fit", "select", "target"): 4.0,
    ("fit", "select", "gamma"): 0.25,
    ("fit", "select", "folds"): 3,
    ("fit", "select", "instability"): 0.1,
    ("fit", "select", "half_samples"): 8,
    ("fit", "method"): "latent",
    ("fit", "latent_penalty"): 2.0,
    ("fit", "remove_factors"): 2,
    ("fit", "order"): "layers",
    ("fit", "fdr"): 0.1,
    ("fit", "min_effect"): 0.1,
    ("fit", "estimate"): "lasso",
    ("fit", "variance"): "normal",
    ("fit", "half_samples"): 4,
    ("fit", "null"): False,
    ("fit", "workers"): 1,
    ("fit", "penalise_diagonal"): True,
    ("fit", "solver"): "sklearn",
    ("fit", "tol"): 1e-5,
    ("fit", "max_iter"): 10,
    ("fit", "neurons"): ["layers.1.mlp[3]"],
    ("visualize", "formats"): ["svg"],
    ("visualize", "edges"): 10,
    ("visualize", "cards"): 3,
    ("visualize", "dpi"): 72,
    ("visualize", "explorer"): False,
    ("visualize", "explorer_mb"): 3.0,
    ("compare", "method"): "fused",
    ("compare", "neurons"): 100,
    ("compare", "lambda1"): 0.1,
    ("compare", "lambda2"): 0.01,
    ("compare", "tol"): 1e-6,
    ("compare", "max_iter"): 10,
    ("compare", "fdr"): 0.01,
    ("compare", "permutations"): 99,
    ("compare", "min_effect"): 0.1,
    ("compare", "min_shift"): 0.5,
    ("compare", "min_ratio"): 2.0,
    ("compare", "contexts"): 3,
    ("structure", "subsets"): 7,
    ("pathways", "graph"): "association",
    ("pathways", "sources"): ["layers.0.mlp[0]"],
    ("pathways", "targets"): ["layers.1.mlp[0]"],
    ("pathways", "to"): "scalar",
    ("pathways", "count"): 5,
    ("pathways", "nodes"): 0.5,
    ("pathways", "edges"): 0.5,
    ("pathways", "mediate"): 2,
    ("pathways", "tokens"): 100,
    ("pathways", "step"): 0.1,
    ("score", "hook_points"): ["mlp.0"],
    ("score", "held"): ["mlp.1"],
    ("score", "scalar"): "package.module:function",
    ("score", "logit_tokens"): [" yes", " no"],
    ("score", "class_index"): 3,
    ("score", "trust"): ["import"],
    ("score", "forms"): ["plain"],
    ("score", "steps"): 4,
    ("score", "integrate"): "together",
    ("score", "baseline"): "resample",
    ("score", "order"): "signed",
    ("score", "tokens"): 500,
    ("score", "held_out"): 500,
    ("score", "top"): 10,
    ("score", "sample"): 10,
    ("score", "shares"): [0.1, 1.0],
    ("score", "ablations"): ["mean"],
    ("score", "draws"): 1,
    ("intervene", "source"): "mlp.0",
    ("intervene", "targets"): ["mlp.2"],
    ("intervene", "sources"): 12,
    ("intervene", "stratify"): ["degree"],
    ("intervene", "groups"): {"pair": ["layers.1.mlp[0]", "layers.1.mlp[1]"]},
    ("intervene", "communities"): [0],
    ("intervene", "changes"): ["zero"],
    ("intervene", "delta"): 1.0,
    ("intervene", "at"): [3, " the"],
    ("intervene", "mode"): "direct",
    ("intervene", "outputs"): ["kl"],
    ("intervene", "logit_tokens"): [" yes", " no"],
    ("intervene", "trust"): ["import"],
    ("intervene", "corpus"): "NAME",
    ("intervene", "tokens"): 500,
    ("intervene", "blocks"): 4,
    ("intervene", "fdr"): 0.1,
    ("intervene", "min_effect"): 0.1,
    ("intervene", "all_pairs"): True,
    ("engine", "kind"): "processes",
    ("engine", "workers"): 3,
    ("engine", "address"): "tcp://10.0.0.5:8786",
    ("engine", "wait"): "00:30:00",
    ("engine", "slurm", "jobs"): 8,
    ("engine", "slurm", "gpus"): 1,
    ("engine", "slurm", "cpus"): 8,
    ("engine", "slurm", "memory"): "64GB",
    ("engine", "slurm", "walltime"): "08:00:00",
    ("engine", "slurm", "lifetime"): "03:00:00",
    ("engine", "slurm", "queue"): "gpu",
    ("engine", "slurm", "directives"): ["--account=name"],
    ("audit", "share"): 0.1,
    ("audit", "scores_from"): "OTHER",
    ("audit", "top"): 7,
    ("audit", "replicates"): 20,
    ("audit", "splits"): 3,
}
RUNTIME = {
    ("out",),
    ("model", "device"),
    ("model", "device_map"),
    ("corpora", "NAME", "streaming"),
    *(
        ("synth", name)
        for name in (
            *("api_key_env", "budget_usd", "price_input", "price_output"),
            *("max_parallel", "retries", "timeout", "batch", "cache"),
        )
    ),
    ("collect", "batch_tokens"),
    ("fit", "workers"),
    *(("engine", name) for name in ("kind", "workers", "address", "wait")),
    *(
        ("engine", "slurm", name)
        for name in ("jobs", "gpus", "cpus", "memory", "walltime", "lifetime", "queue", "directives")
    ),
}


# Fields of networks that are no language models; the source of the documents goes with the field.
_OF_TORCH = {
    *(("model", name) for name in ("kind", "target", "args", "weights", "adapter")),
    *(("corpora", "NAME", name) for name in ("arrays", "images", "module")),
    *(("corpora", "NAME", name) for name in ("resize", "crop", "channels", "mean", "std")),
    *(("collect", name) for name in ("positions", "axes")),
    ("collect", "mask", "border"),
}


def example() -> dict[str, Any]:
    return {
        "name": "x",
        "model": {"id": "some/model"},
        "corpora": {"NAME": {"topic": "a topic"}},
        "collect": {"hook_points": ["mlp.1"]},
        "fit": {"alpha": [0.2, 0.1]},
    }


DEFAULT = object()


def with_value(loc: tuple[str, ...], value: Any = DEFAULT) -> Config:
    """The example with one value changed, and what that value needs beside it."""
    data = example()
    if loc[0] == "corpora" and loc[-1] not in ("topic", "max_documents"):
        source = {"files": ["a.txt"]} if loc[-1] in ("files", "lines") else {"dataset": "some/dataset"}
        data["corpora"]["NAME"] = source
    if loc in (("synth", "price_input"), ("synth", "price_output")):  # they go together
        data["synth"] = {"price_input": 3.0, "price_output": 3.0}
    if loc in _OF_TORCH:
        data["model"] = {"kind": "torch", "target": "package.networks:make", "trust": ["import"]}
        given = loc[-1] if loc[-1] in ("arrays", "module") else "arrays" if loc[0] != "corpora" else "images"
        data["corpora"]["NAME"] = {given: "package.data:documents" if given == "module" else "a"}
    if loc == ("model", "kind") and value is DEFAULT:
        data = example()
    if loc == ("model", "weights"):
        data["model"]["weights"] = "a.safetensors"
    if loc == ("intervene", "logit_tokens"):
        tokens = {} if value is DEFAULT else {"outputs": ["logit_difference"]}
        data["intervene"] = {"outputs": [], **tokens}
    if loc == ("score", "logit_tokens") and value is not DEFAULT:
        data["score"] = {"scalar": "logit_difference"}
    if loc in (("score", "scalar"), ("score", "trust")):
        data["score"] = {"trust": ["import"] if loc[1] == "scalar" else []}
    if loc == ("score", "class_index"):
        data["score"] = {"scalar": "class_logit"}
    if loc[0] == "engine" and loc != ("engine", "kind"):
        data["engine"] = {"kind": "dask"}
    if loc[:2] == ("collect", "sae"):
        data["collect"] = {"sae": {"file": "a"}}
    if loc == ("audit", "scores_from"):
        data["corpora"]["OTHER"] = {"topic": "another topic"}
    inner = data
    for key in loc[:-1]:
        inner = inner.setdefault(key, {})
    if value is not DEFAULT:
        inner[loc[-1]] = value
    return Config.model_validate(data)
