"""From sums by document to effects with errors and tests: the artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, Interventions
from glasso_cli.artifacts.metrics.interventions import EffectsFound, RandomDirections
from glasso_cli.config import InterveneSection
from glasso_cli.inference.document_means import beyond_least, clustered, sign_flips
from glasso_cli.inference.p_values.false_discovery import ordered_q_values
from glasso_cli.intervention.measure import LINEAR_STEPS, Arrays
from glasso_cli.intervention.study import Study

TESTED = {"step": "mean"}  # of others the root mean square: ablation to the mean is zero on average, if it is linear


@dataclass(frozen=True, eq=False)
class ByDocument:
    """Sums of all batches by document: ``documents (D,)`` in order, ``tokens (D,)``, and the arrays of a batch with D for d."""

    documents: np.ndarray
    tokens: np.ndarray
    arrays: Arrays


def by_document(pieces: Sequence[Mapping[str, np.ndarray]], kept: Mapping[int, int]) -> ByDocument:
    """The sums of all pieces; a long document can be in several. Documents without a counted token are left out."""
    documents = np.array(sorted(kept))
    place = {document: row for row, document in enumerate(documents.tolist())}
    axes = {"sums": 2, "squares": 2, "linear": 2, "random": 1, "random_squares": 1, "outputs": 2, "output_tokens": 0}
    found: Arrays = {}
    for name, axis in axes.items():
        shape = list(pieces[0][name].shape)
        shape[axis] = len(documents)
        total = np.zeros(shape, pieces[0][name].dtype)
        first = np.moveaxis(total, axis, 0)
        for piece in pieces:
            for row, document in enumerate(piece["documents"].tolist()):
                if document in place:
                    first[place[document]] += np.moveaxis(piece[name], axis, 0)[row]
        found[name] = total
    found["outside"] = np.sum([piece["outside"] for piece in pieces], axis=0)
    return ByDocument(documents, np.array([kept[document] for document in documents.tolist()]), found)


@dataclass(frozen=True, eq=False)
class Judged:
    """Effects ``(S, T)`` of one kind of change in standard deviations of the target, their errors and tests."""

    effects: np.ndarray
    errors: np.ndarray
    rms: np.ndarray
    rms_errors: np.ndarray
    p: np.ndarray
    q: np.ndarray


def judged(
    sums: np.ndarray, squares: np.ndarray, tokens: np.ndarray, least: float, signs: np.ndarray, by: str
) -> Judged:
    """The tests of one kind of change from ``sums`` and ``squares (S, D, T)`` of effects in standard deviations of the target.

    ``by``: ``mean`` tests that the mean effect is larger than ``least`` in size, ``rms`` that the root mean square is. The q-values
    are over all S x T pairs.
    """
    found = []
    for plain, square in zip(sums.astype(np.float64), squares.astype(np.float64)):
        mean, error = clustered(plain, tokens)
        power, power_error = clustered(square, tokens)
        rms = np.sqrt(np.maximum(power, 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            rms_error = np.where(rms > 0, power_error / (2 * rms), 0.0)
        if by == "mean":
            p = beyond_least(plain, tokens, least, signs)
        else:
            p = beyond_least(square, tokens, least**2, signs, one_sided=True)
        found.append((mean, error, rms, rms_error, p))
    mean, error, rms, rms_error, p = (np.stack(parts) for parts in zip(*found))
    return Judged(mean, error, rms, rms_error, p, ordered_q_values(p.ravel()).reshape(p.shape))


def artifact(
    study: Study,
    stats: ActivationStats,
    section: InterveneSection,
    outputs: Sequence[str],
    outside: np.ndarray,
    checked: Sequence[int],
    found: ByDocument,
    seed: int,
) -> Interventions:
    """The artifact without metrics, which are in :func:`effects_found` and its siblings."""
    std, arrays, tokens = stats.std[study.rows], found.arrays, found.tokens
    sums, squares = arrays["sums"] / std, arrays["squares"] / std**2
    signs = sign_flips(len(tokens), seed)
    kinds = section.changes
    tests = [
        judged(plain, square, tokens, section.min_effect, signs, TESTED.get(kind, "rms"))
        for kind, plain, square in zip(kinds, sums, squares)
    ]
    block = np.arange(len(tokens)) % section.blocks
    blocks = int(block.max()) + 1
    steps = {"linear_sources": np.array(checked, np.int32), "linear_steps": np.zeros(0)}
    linear = np.zeros((0, len(checked), len(std)))
    if checked:
        linear = arrays["linear"].sum(axis=2) / tokens.sum() / std
        steps["linear_steps"] = np.array(LINEAR_STEPS)
    values: dict[str, Any] = {
        **_sources(study),
        "target_ids": stats.neuron_ids[study.rows],
        "target_layers": stats.layers[study.rows],
        "target_orientation": stats.orientation[study.rows],
        "target_std": std,
        "changes": np.array(kinds),
        "counts": np.bincount(block, tokens, blocks).astype(np.int64),
        "documents": np.bincount(block, minlength=blocks),
        "effects": _floats([test.effects for test in tests]),
        "errors": _floats([test.errors for test in tests]),
        "rms": _floats([test.rms for test in tests]),
        "rms_errors": _floats([test.rms_errors for test in tests]),
        "p_values": np.stack([test.p for test in tests]),
        "q_values": np.stack([test.q for test in tests]),
        "block_sums": _by_block(sums, block, blocks).astype(np.float32),
        "block_squares": _by_block(squares, block, blocks).astype(np.float32),
        "outside_sources": outside,
        **steps,
        "linear_effects": linear.astype(np.float32),
        "linear_ratios": _ratios(linear, tests[kinds.index("step")].effects[checked]) if checked else linear[:, :, 0],
        "outside_targets": arrays["outside"] / (2 * tokens.sum() * len(std)),
        "random_effects": (arrays["random"].sum(axis=1) / tokens.sum() / std).astype(np.float32),
        "random_rms": np.sqrt(arrays["random_squares"].sum(axis=1) / tokens.sum() / std**2).astype(np.float32),
        "outputs": np.array(outputs, dtype=np.str_),
        **_outputs(arrays, block, blocks),
    }
    return Interventions(meta={}, **values)


def _sources(study: Study) -> dict[str, np.ndarray]:
    own, sources = study.candidates, study.sources
    first = [source.members[0] for source in sources]
    alone = np.array([source.alone for source in sources])
    return {
        "source_ids": np.array([source.name for source in sources]),
        "source_orientation": np.where(alone, own.orientation[first], 1).astype(np.int8),
        "source_std": np.where(alone, own.std[first], np.nan),
        "source_degrees": np.where(alone, own.degrees[first], -1).astype(np.int32),
        "source_write_norms": np.where(alone, own.write_norms[first], np.nan),
        "source_weights": np.array([source.weight for source in sources]),
        "member_ids": own.ids[[member for source in sources for member in source.members]],
        "member_sources": np.repeat(np.arange(len(sources)), [len(source.members) for source in sources]).astype(
            np.int32
        ),
    }


def _floats(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(parts).astype(np.float32)


def _by_block(values: np.ndarray, block: np.ndarray, blocks: int) -> np.ndarray:
    """Sums by document ``(C, S, D, …)`` as sums by block ``(C, S, B, …)``."""
    out = np.zeros((*values.shape[:2], blocks, *values.shape[3:]))
    for document, own in enumerate(block.tolist()):
        out[:, :, own] += values[:, :, document]
    return out


def _ratios(linear: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """How large slopes ``(K, L, T)`` are relative to those at delta ``(L, T)``, by least squares over the targets: ``(K, L)``."""
    power = (slopes**2).sum(axis=1)
    found = np.full(linear.shape[:2], np.nan)
    return np.asarray(np.divide((linear * slopes).sum(axis=2), power, out=found, where=power > 0))


def _outputs(arrays: Arrays, block: np.ndarray, blocks: int) -> dict[str, np.ndarray]:
    """Mean effects on every output ``(C, S, O)``, their errors, and sums by block."""
    sums, counts = arrays["outputs"], arrays["output_tokens"]
    mean, error = np.zeros((*sums.shape[:2], sums.shape[3])), np.zeros((*sums.shape[:2], sums.shape[3]))
    for output in range(sums.shape[3]):
        flat = np.moveaxis(sums[..., output], 2, 0).reshape(len(block), -1)
        there = counts[:, output] > 0
        found = clustered(flat[there], counts[there, output])
        mean[..., output], error[..., output] = (part.reshape(sums.shape[:2]) for part in found)
    return {"output_effects": mean, "output_errors": error, "block_outputs": _by_block(sums, block, blocks)}


# -- what was found, in numbers --------------------------------------------------------------------------


def effects_found(made: Interventions, fdr: float) -> tuple[EffectsFound, ...]:
    """One summary for each kind of change."""
    found = []
    for row, kind in enumerate(made.changes.tolist()):
        hits = made.q_values[row] <= fdr
        by = TESTED.get(kind, "rms")
        sizes = np.abs(made.effects[row] if by == "mean" else made.rms[row])
        found.append(
            EffectsFound(
                kind,
                by,
                int(hits.sum()),
                int(hits.any(axis=1).sum()),
                float(np.median(sizes)),
                float(sizes.max(initial=0.0)),
            )
        )
    return tuple(found)


def random_found(made: Interventions, where: str, fdr: float) -> RandomDirections | None:
    """How large effects of random directions are, and how many of the found ones are larger."""
    if not len(made.random_effects):
        return None
    sizes = np.abs(made.random_effects)
    median, q99 = np.quantile(sizes, [0.5, 0.99])
    row = made.changes.tolist().index("step")
    found = np.abs(made.effects[row][made.q_values[row] <= fdr])
    above = float((found > q99).mean()) if len(found) else None
    return RandomDirections(len(sizes), where, float(median), float(q99), float(sizes.max()), above)
