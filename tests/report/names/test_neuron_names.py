"""Names of neurons and communities, and what they must not depend on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from support.named import FILLER, planted_contexts

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.report.names import NeuronNames, name_communities, name_neurons, read_material
from glasso_cli.report.names.communities import communities_from, least_score
from glasso_cli.report.names.neurons import LEAST_SCORE, is_shown, pole_names

GROUPS, PARTS = ("top", "bottom", "quantile"), ("tokens", "values", "documents")
PLANTED = [[" climate", " warming"], [" said"], [" court", " law", " judge"]]


def names_of(stats: ActivationStats) -> NeuronNames:
    return name_neurons(read_material(stats))


def test_planted_words_are_the_names() -> None:
    names = names_of(planted_contexts(PLANTED))
    for neuron, words in enumerate(PLANTED):
        assert set(names.poles[neuron][0].words) == {word.strip() for word in words}
        assert names.texts[neuron].startswith(names.poles[neuron][0].text)
        assert names.poles[neuron][0].score > (0.95 if len(words) < 3 else 0.85)  # half of the contexts may lack a word
        assert names.poles[neuron][0].documents == 20


def test_noise_has_no_name() -> None:
    shown = [
        is_shown(name)
        for seed in range(5)
        for pair in names_of(planted_contexts([], noise=60, seed=seed)).poles
        for name in pair
    ]
    assert np.mean(shown) < 0.05


def test_the_word_before_is_named_where_it_tells_apart_better() -> None:
    stats = planted_contexts([[" the"]])
    top = stats.top_tokens.copy()
    middle = top.shape[2] // 2
    top[0, :, middle] = np.arange(top.shape[1]) % len(FILLER)  # any word of the text, after one that is rare in it
    top[0, :, middle - 1] = len(stats.vocabulary)
    named = names_of(replace(stats, vocabulary=np.append(stats.vocabulary, " dear"), top_tokens=top))
    assert named.texts[0] == "after dear"
    assert named.scores[0] > 0.9


def test_both_poles_are_named_the_heavier_first() -> None:
    stats = planted_contexts([[" climate"], [" said"]])
    bottom = stats.bottom_tokens.copy()
    middle = bottom.shape[2] // 2
    bottom[0, :, middle] = stats.vocabulary.tolist().index(" said")
    both = replace(stats, bottom_tokens=bottom)
    assert names_of(both).texts[0] == "climate / said"
    assert names_of(replace(both, skewness=-both.skewness)).texts[0] == "said / climate"


def test_a_word_of_both_poles_tells_neither_apart_well() -> None:
    stats = planted_contexts([[" climate"]])
    bottom = stats.bottom_tokens.copy()
    bottom[0] = stats.top_tokens[0]
    same = replace(stats, bottom_tokens=bottom, bottom_documents=stats.top_documents)
    assert names_of(same).scores[0] < names_of(stats).scores[0] - 0.15


def test_words_of_one_document_are_no_name() -> None:
    stats = planted_contexts([[" kemp"]])
    once = stats.top_documents.copy()
    once[0] = 3
    assert names_of(replace(stats, top_documents=once)).texts[0] == ""


def flipped(stats: ActivationStats, which: np.ndarray) -> ActivationStats:
    """The statistics of the same network after the neurons of ``which`` changed their sign."""
    arrays: dict[str, Any] = {"orientation": np.where(which, -stats.orientation, stats.orientation).astype(np.int8)}
    arrays["skewness"] = np.where(which, -stats.skewness, stats.skewness)
    for name in PARTS:
        high, low = getattr(stats, f"top_{name}"), getattr(stats, f"bottom_{name}")
        exchange = which.reshape(-1, *[1] * (high.ndim - 1))
        sign = np.where(exchange, -1, 1) if name == "values" else 1
        arrays[f"top_{name}"] = np.where(exchange, low, high) * sign
        arrays[f"bottom_{name}"] = np.where(exchange, high, low) * sign
    return replace(stats, **arrays)


def test_signs_and_numbers_of_neurons_change_no_name() -> None:
    stats = planted_contexts(PLANTED)
    names = names_of(stats)
    rng = np.random.default_rng(5)
    turned = flipped(stats, rng.random(stats.n_neurons) < 0.5)
    for other in (turned, oriented(turned), oriented(stats)):
        assert names_of(other).texts == names.texts
        np.testing.assert_array_equal(names_of(other).scores, names.scores)
    order = rng.permutation(stats.n_neurons)
    arrays = [f"{group}_{part}" for group in GROUPS for part in PARTS]
    moved: dict[str, Any] = {name: getattr(stats, name)[order] for name in ["orientation", "skewness", *arrays]}
    permuted = names_of(replace(stats, **moved))
    assert permuted.texts == [names.texts[n] for n in order]
    np.testing.assert_array_equal(permuted.scores, names.scores[order])


def test_few_words_that_were_exchanged_between_neurons_pass() -> None:
    stats = planted_contexts([[f" word{n}", f" other{n}"] for n in range(60)], noise=0)
    material = read_material(stats)
    real = np.mean([is_shown(name) for name in pole_names(material)[::2]])
    groups = material.peaks.groups.copy()
    rng = np.random.default_rng(0)
    for place in (0, 1):
        mine = np.flatnonzero(groups % 2 == place)
        groups[mine] = rng.permutation(groups[mine])
    null = [is_shown(name) for name in pole_names(replace(material, peaks=replace(material.peaks, groups=groups)))]
    assert real == 1.0
    assert np.mean(null) < 0.05


def test_no_contexts_and_few_documents_give_no_names() -> None:
    stats = planted_contexts(PLANTED)
    few = names_of(replace(stats, top_documents=stats.top_documents % 4, bottom_documents=stats.bottom_documents % 4))
    assert set(few.texts) == {""}
    assert np.isnan(few.scores).all()
    arrays = {f"{group}_{part}": getattr(stats, f"{group}_{part}")[:, :0] for group in GROUPS[:2] for part in PARTS}
    none = names_of(replace(stats, **arrays))
    assert set(none.texts) == {""}


def test_the_better_of_two_corpora_gives_the_name() -> None:
    first = names_of(planted_contexts([[" climate"], FILLER]))
    second = names_of(planted_contexts([[" stone"], [" said"]], seed=1))
    both = first.better(second)
    assert both.texts[1].startswith("said")
    assert both.scores[1] == second.scores[1]
    assert second.better(first).texts == both.texts


def test_a_neuron_with_a_name_scores_at_least_the_threshold() -> None:
    names = names_of(planted_contexts(PLANTED))
    named = np.array([bool(text) for text in names.texts])
    assert (names.scores[named] >= LEAST_SCORE).all()
    assert (names.scores[~named] < LEAST_SCORE).all()


def test_communities_are_named_by_the_words_of_their_neurons() -> None:
    stats = planted_contexts([[" climate", " warming"]] * 4 + [[" court"]] * 4, noise=20)
    communities = np.repeat([0, 1, 2, -1], [4, 4, 10, 10])
    names = name_communities(read_material(stats), np.arange(28), communities)
    assert set(names[0].words) == {"climate", "warming"}
    assert names[1].words == ("court",)
    assert names[2].words == ()
    assert all(name.score >= least_score(4) for name in names[:2])


def test_communities_of_random_neurons_are_rarely_named() -> None:
    stats = planted_contexts([[f" word{n % 9}"] for n in range(60)], noise=60)
    material, passed = read_material(stats), []
    for seed in range(6):
        communities = np.random.default_rng(seed).integers(0, 12, 120)
        sizes = np.bincount(communities)
        found = communities_from(material, np.arange(120), communities)
        passed += [name.score >= least_score(size) for name, size in zip(found, sizes.tolist())]
    assert np.mean(passed) < 0.1


def test_no_communities_have_no_names() -> None:
    material = read_material(planted_contexts(PLANTED))
    assert name_communities(material, np.arange(3), np.full(3, -1)) == []
