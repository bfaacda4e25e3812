"""The section `score`: what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.configs import BASE, refused, write

from glasso_cli.config import ScoreSection
from glasso_cli.config.load import load_config


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("score.scalar=kl", "no slope at the clean network"),
        (
            "score.scalar=los",
            "'los' is none of loss, logit_difference, class_logit, kl, and no package.module:function",
        ),
        ('score.scalar="os:system"', "if you trust it, add trust: import"),
        ("score.scalar=logit_difference", "goes together with two logit_tokens"),
        ("score.class_index=3", "is for scalar: class_logit"),
        ("score.shares=[0.1,0.2]", "one of them 1"),
        ("score.shares=[0.1,2]", "above 0 and at most 1"),
        ("score.forms=[plain,plain]", "names 'plain' twice"),
        ("score.form=plain", "did you mean 'forms'?"),
        ("score.baseline=zero", "resample"),
    ],
)
def test_what_is_wrong_is_said(override: str, said: str) -> None:
    assert said in refused(write(BASE), override).message


def test_shares_are_sorted_and_distinct() -> None:
    assert ScoreSection.model_validate({"shares": [1, 0.1, 0.1]}).shares == (0.1, 1.0)
    assert ScoreSection.model_validate({"shares": []}).shares == ()


def test_figures_of_scores_have_a_folder_of_their_own() -> None:
    text = BASE + "score: {}\n"
    assert load_config(write(text), ()).score == ScoreSection()
    both = text.replace("corpora:\n", "corpora:\n  a.score: {files: [x.txt]}\n")
    assert "figures of the scores of 'a'" in refused(write(both)).message
