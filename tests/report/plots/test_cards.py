"""Contexts on a line, and letters that can be drawn."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from support.studies import TOKENS, with_crops

from glasso_cli.artifacts.orientation import pole_contexts
from glasso_cli.report.plots.figures import cards
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.contexts import Context, arrange, read_contexts
from glasso_cli.report.plots.parts.glyphs import cells, drawable, one_line
from glasso_cli.report.plots.study import Study

HOSTILE_TEXT = st.text(st.sampled_from("a $\\{}^_\n\t\r\0\u202e\u200d映🎬é̀<>&\ud800\ufffe"), max_size=12)


def context_of(tokens: tuple[str, ...], peak: int) -> Context:
    return Context(tokens, np.linspace(-1, 1, len(tokens)), peak, 0)


@given(tokens=st.lists(HOSTILE_TEXT, min_size=1, max_size=21), place=st.floats(0, 0.99), room=st.integers(12, 140))
def test_tokens_keep_their_order_and_stay_in_their_room(tokens: list[str], place: float, room: int) -> None:
    pieces = arrange(context_of(tuple(tokens), int(place * len(tokens))), room)
    pieces = sorted(pieces, key=lambda piece: (piece.start, cells(piece.text)))  # a lone accent takes no cell
    ends = [piece.start + cells(piece.text) for piece in pieces]
    assert all(piece.start >= 0 for piece in pieces)
    assert all(end <= room for end in ends)
    assert all(piece.start >= end for piece, end in zip(pieces[1:], ends))
    assert sum(piece.peak for piece in pieces) == bool(drawable(tokens[int(place * len(tokens))]))


@given(
    st.lists(
        st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), max_size=5), min_size=1, max_size=9
    )
)
def test_a_context_that_fits_is_shown_whole(tokens: list[str]) -> None:
    pieces = sorted(arrange(context_of(tuple(tokens), len(tokens) // 2), 120), key=lambda piece: piece.start)
    assert "".join(piece.text for piece in pieces) == "".join(tokens)
    assert [piece.value for piece in pieces] == sorted(piece.value for piece in pieces)


def test_peaks_stand_in_one_column() -> None:
    lines = [context_of(("Some", " words", " peak", " after"), 2), context_of(("peak",), 0)]
    middles = [piece.start + cells(piece.text) / 2 for line in lines for piece in arrange(line, 100) if piece.peak]
    assert np.ptp(middles) <= 1


def test_contexts_outside_the_text_are_left_out(make_study: Callable[..., Study]) -> None:
    tokens = np.array([[-1, -1, 2, 1, -1], [0, 1, 2, 3, 4]])
    values = np.where(tokens < 0, np.nan, tokens + 0.5)
    found = read_contexts(make_study().stats, 0, tokens, values, np.array([7, -1]))
    assert [context.tokens for context in found] == [(TOKENS[2], TOKENS[1])]
    assert (found[0].peak, found[0].value, found[0].document) == (0, 2.5, 7)


# -- crops --------------------------------------------------------------------------------------------


def with_pictures(study: Study, channels: int = 1, **options: Any) -> Study:
    return replace(study, stats=with_crops(study.stats, channels, **options))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_card_shows_crops_with_their_boxes_and_values(make_study: Callable[..., Study], channels: int) -> None:
    study = with_pictures(make_study(section={"cards": 1}), channels, room=20)
    picture = next(cards.pictures(study))
    stats, crops = study.stats, study.stats.crops
    assert crops is not None
    row = int(study.fit.neurons[study.by_strength[0]])
    shown = [image for axes in picture.figure.axes for image in axes.get_images()]
    groups = [(pole.tokens[:, 0], pole.values[:, 0]) for pole in pole_contexts(stats, row, 8)]
    tokens = np.concatenate([tokens for tokens, _ in groups])
    for image, token in zip(shown, tokens):
        np.testing.assert_array_equal(np.squeeze(image.get_array()), np.squeeze(crops.picture(crops.of[token])))
    assert len(shown) == len(tokens) + 10  # and two of each fifth
    texts = {text.get_text() for axes in picture.figure.axes for text in axes.texts}
    assert {f"{value:.3g}".replace("-", "−") for _, values in groups for value in values} <= texts
    boxes = [patch for patch in shown[0].axes.patches if isinstance(patch, Rectangle)]
    left, right, low, high = shown[0].get_extent()
    inside = [box for box in boxes if left <= box.get_x() <= right and high <= box.get_y() <= low]
    assert len(inside) == 2  # a black line below a bright one
    assert inside[0].get_width() / (right - left) == pytest.approx(3 / 8)
    assert inside[0].get_height() / (low - high) == pytest.approx(3 / 6)
    assert "receptive field (3 x 3 pixels)" in " ".join(text.get_text() for text in picture.figure.texts)


def test_places_in_images_are_no_words(make_study: Callable[..., Study]) -> None:
    study = with_pictures(make_study(section={"cards": 1}))
    assert not any(study.names.texts)
    assert not any(name.words for name in study.community_names)
    picture = next(cards.pictures(study))
    words = " ".join(text.get_text() for axes in picture.figure.axes for text in axes.texts) + picture.alt
    assert "name" not in words
    assert "token" not in words
    assert "every fifth of the samples" in " ".join(axes.get_title() for axes in picture.figure.axes)


def test_contexts_without_room_for_crops_say_where_they_are(make_study: Callable[..., Study]) -> None:
    study = with_pictures(make_study(section={"cards": 1}), room=0)
    picture = next(cards.pictures(study))
    assert not [image for axes in picture.figure.axes for image in axes.get_images()]
    assert any("column 3" in text.get_text() for axes in picture.figure.axes for text in axes.texts)


# -- letters ------------------------------------------------------------------------------------------


@given(st.text())
def test_drawable_text_is_one_line_with_a_glyph_for_every_letter(text: str) -> None:
    shown = drawable(text)
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert drawable(shown) == shown
    assert len(shown.splitlines()) <= 1


def test_what_cannot_be_seen_is_shown() -> None:
    assert drawable("a\nb\tc") == "a⏎b⇥c"
    assert drawable("\u202egnp.exe") == "gnp.exe"  # a mark that would reverse the rest
    assert drawable("plain text, é and α") == "plain text, é and α"


@given(st.text())
def test_metadata_is_one_line_and_encodes(text: str) -> None:
    line = one_line(text)
    line.encode("utf-8")
    assert len(line.splitlines()) <= 1


# -- whole cards --------------------------------------------------------------------------------------


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title)]


@pytest.mark.slow
def test_the_strongest_neurons_have_cards_in_order(make_study: Callable[..., Study]) -> None:
    study = make_study(30, 60, section={"cards": 4})
    with style.look():
        found = list(cards.pictures(study))
    assert len(found) == 4
    for picture, neuron in zip(found, study.by_strength):
        assert str(study.fit.neuron_ids[neuron]) in picture.alt
        near = {row for row, kind in zip(picture.table["text"], picture.table["kind"]) if kind == "neighbour"}
        rows, cols, _ = study.edges
        others = np.concatenate([cols[rows == neuron], rows[cols == neuron]])
        assert near == set(study.fit.neuron_ids[others])


def test_cards_show_the_contexts_of_the_right_neuron_when_some_were_not_fitted(
    make_study: Callable[..., Study],
) -> None:
    study = make_study(12, 20, dead=(0, 3), section={"cards": 1})
    place = study.fit.neurons[study.by_strength[0]]
    study.stats.top_values[place, 0, :] = 123.456
    study.stats.top_documents[:] = np.maximum(study.stats.top_documents, 0)
    with style.look():
        (picture,) = cards.pictures(study)
    assert "123" in texts_of(picture.figure)


@pytest.mark.slow
@pytest.mark.parametrize("contexts", [True, False])
def test_cards_without_contexts_say_why(make_study: Callable[..., Study], contexts: bool) -> None:
    study = make_study(contexts=contexts, section={"cards": 1})
    with style.look():
        (picture,) = cards.pictures(study)
    assert any("collect.contexts" in text for text in texts_of(picture.figure)) != contexts


@pytest.mark.slow
def test_any_token_can_be_drawn_and_none_is_read_as_markup(make_study: Callable[..., Study], tmp_path: Path) -> None:
    words = [
        "$\\frac{",
        "_x^2_$",
        "\n\n",
        "\r\t",
        "\0\x1b[31m",
        "\u202ereversed",
        "\u200d",
        "映画",
        "🎬👩‍🎤",
        "é̀",
        "<b>&amp;",
        "",
        "a" * 300,
    ]
    study = make_study(6, 6, section={"cards": 1, "formats": ("png", "svg")})
    object.__setattr__(study.stats, "vocabulary", np.array(words))
    with style.look(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # a missing glyph
        (picture,) = cards.pictures(study)
        files = style.save(picture, tmp_path / "figures", study)
    assert [path.suffix for path in files] == [".png", ".svg", ".csv"]
    shown = "".join(texts_of(picture.figure))
    assert "$\\frac{" in shown
    assert "\u202e" not in shown
