"""The section `intervene`: what its values mean, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.configs import BASE, refused, write

from glasso_cli.config import InterveneSection
from glasso_cli.config.load import load_config


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("intervene.at=[]", "is an empty list; give all, or positions and tokens"),
        ("intervene.at=[-1]", "positions from 0 and texts of tokens, not -1"),
        ("intervene.outputs=[los]", "'los' is none of loss, kl, logit_difference, and no package.module:function"),
        ('intervene.outputs=["os:system"]', "if you trust it, add trust: import"),
        ("intervene.outputs=[logit_difference]", "goes together with two logit_tokens"),
        ('intervene.logit_tokens=[" a"," b"]', "goes together with two logit_tokens"),
        ("intervene.changes=[step,step]", "names 'step' twice"),
        ("intervene.changes=[]", "is empty"),
        ("intervene.communities=[-2]", "at least 0"),
        ("intervene.corpus=nope", "'nope' is not under corpora; those are a"),
        ("intervene.change=step", "did you mean 'changes'?"),
        ("intervene.sources=0", "should be at least 1, not 0"),
        ("intervene.mode=frozen", "did you mean free?"),
        ("intervene.stratify=[disagreement]", "needs the ordered graph; set fit.order: layers"),
    ],
)
def test_what_is_wrong_is_said(override: str, said: str) -> None:
    assert said in refused(write(BASE), override).message


@pytest.mark.parametrize(
    ("value", "at"), [("all", "all"), (3, (3,)), (" the", (" the",)), ([0, " the"], (0, " the")), (["all"], ("all",))]
)
def test_tokens_are_positions_or_texts(value: object, at: object) -> None:
    assert InterveneSection.model_validate({"at": value}).at == at


def test_the_fit_is_read_where_it_decides() -> None:
    for section, reads in (
        ({}, True),
        ({"stratify": ["write_norm"]}, False),
        ({"sources": "all"}, False),
        ({"sources": ["layers.8.mlp[1]"], "communities": [0]}, True),
    ):
        assert InterveneSection.model_validate(section).reads_fit is reads


def test_disagreement_is_read_where_sources_are_drawn() -> None:
    order = ("fit.order=layers",)
    for overrides, reads in (
        (("intervene.stratify=[disagreement]",), True),
        (("intervene.stratify=[disagreement]", "intervene.sources=all"), False),
        ((), False),
    ):
        section = load_config(write(BASE), (*order, *overrides)).intervene
        assert section.reads_disagreement is reads
        assert section.reads_fit is (not overrides)
    assert (
        load_config(write(BASE), ("intervene.stratify=[disagreement]", "intervene.sources=all")).intervene.sources
        == "all"
    )


def test_a_corpus_of_the_experiment_is_accepted() -> None:
    assert load_config(write(BASE), ("intervene.corpus=a",)).intervene.corpus == "a"


def test_latents_of_a_dictionary_cannot_be_changed() -> None:
    text = BASE.replace("  hook_points: [mlp.1]\n", "  sae: {file: a}\n") + "intervene: {}\n"
    assert "collect.sae collects latents of a dictionary" in refused(write(text)).message
