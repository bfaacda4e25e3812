"""The script that trains a dictionary writes one that fits, at the hook point that it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from train_dictionary import trained, write, write_transcoder

from glasso_cli.models.dictionaries.check import check_dictionary
from glasso_cli.models.dictionaries.registry import load_dictionary


@pytest.mark.slow
def test_what_is_written_explains_what_it_was_trained_on(tmp_path: Path) -> None:
    torch.manual_seed(1)
    directions = torch.nn.functional.normalize(torch.randn(24, 16), dim=1)
    active = torch.rand(2_000, 24) * (torch.rand(2_000, 24) < 0.1)
    x = 50 * (active @ directions) + 7  # far from the mean norm √d
    write(tmp_path, trained(x, x, latents=32, active=6, steps=300), active=6)
    dictionary = load_dictionary(tmp_path)
    assert dictionary.hook_in.point == "resid.9"
    assert (dictionary.width, dictionary.k) == (32, 6)
    check = check_dictionary(dictionary, x)
    assert check.fvu < 0.3
    assert check.l0 <= 6


@pytest.mark.slow
def test_a_transcoder_predicts_what_it_was_trained_to(tmp_path: Path) -> None:
    torch.manual_seed(1)
    directions, answers = (torch.nn.functional.normalize(torch.randn(24, 16), dim=1) for _ in range(2))
    active = torch.rand(2_000, 24) * (torch.rand(2_000, 24) < 0.1)
    x, y = 50 * (active @ directions) + 7, 0.3 * (active @ answers) - 2
    folder = write_transcoder(tmp_path, trained(x, y, latents=64, active=8, steps=600), active=8)
    transcoder = load_dictionary(folder)
    assert transcoder.transcoder
    assert (transcoder.hook_in.point, transcoder.hook_out.point) == ("*layers.9.mlp:in", "*layers.9.mlp:out")
    assert check_dictionary(transcoder, x, y).fvu < 0.4
