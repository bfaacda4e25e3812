"""A language model at its hook points, and the texts that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from glasso_cli.artifacts.metrics.collect import DocumentCounts
from glasso_cli.collection.autocorrelation import Autocorrelation
from glasso_cli.collection.capture import Capture
from glasso_cli.collection.dictionaries.reading import dictionary_points
from glasso_cli.collection.orientation import reference_orientation
from glasso_cli.collection.reading import Reading
from glasso_cli.config import CollectSection
from glasso_cli.console import Reporter
from glasso_cli.corpora.repeats import count_repeats
from glasso_cli.corpora.token_texts import token_texts
from glasso_cli.corpora.windows import Batch, TokenizedCorpus, Window, batches, special_frame, tokenize
from glasso_cli.errors import InputError
from glasso_cli.hooks.parts import resolve_in_part
from glasso_cli.models.forward import longest_window
from glasso_cli.models.loaded import padding_id
from glasso_cli.pipeline.shared import Shared

if TYPE_CHECKING:
    from glasso_cli.hooks import HookPoint
    from glasso_cli.hooks.invariants import InvariantReport
    from glasso_cli.hooks.record import Recorder
    from glasso_cli.models.dictionaries.dictionary import Dictionary
    from glasso_cli.models.loaded import LoadedModel

BATCH_TOKENS = {"cpu": 1_024, "cuda": 16_384}  # what a processor's cache holds; what keeps a GPU busy


@contextmanager
def texts_reading(
    loaded: LoadedModel,
    texts: Iterable[str],
    patterns: Sequence[str],
    section: CollectSection,
    *,
    name: str,
    reporter: Reporter,
    stage: str = "collect",
    dictionary: Dictionary | None = None,
    shared: Shared | None = None,
) -> Iterator[Reading]:
    """``loaded`` at the hook points ``patterns``, and the windows of ``texts``, one document each, for as long as the block runs.

    ``section`` says how texts are cut and masked. Raises :class:`InputError` for hook points that do not exist or are not
    what they say. ``shared`` keeps what is measured of ``loaded`` alone for other texts.
    """
    resolve = partial(resolve_in_part, loaded)
    points = resolve(patterns) if dictionary is None else dictionary_points(dictionary, resolve)
    _refuse_several_experts(points)
    length = _window_length(loaded, section)
    if length < section.max_length:
        reporter.warn(
            f"{name}: windows have {length:,} tokens instead of collect.max_length {section.max_length:,}: the model has no "
            "positions for more."
        )
    corpus = tokenized(loaded, texts, section, section.max_tokens)
    reporter.note(
        f"{stage} {name}: {corpus.n_documents:,} documents, {corpus.n_tokens:,} tokens, "
        f"{dictionary.width if dictionary else sum(point.width for point in points):,} {'latents' if dictionary else 'neurons'} "
        f"at {', '.join(p.label for p in points)}"
    )
    with checked_texts(loaded, points, corpus, section, reporter, shared) as (reading, _, mixed_lengths):
        if dictionary is None:
            warn_arbitrary(points, name, reporter)
        if not mixed_lengths:
            reporter.note(
                f"{stage} {name}: in this model the longest window of a batch changes the activations of the others, so "
                "that each batch holds windows of one length"
            )
        yield reading


@contextmanager
def checked_texts(
    loaded: LoadedModel,
    points: Sequence[HookPoint],
    corpus: TokenizedCorpus,
    section: CollectSection,
    reporter: Reporter,
    shared: Shared | None = None,
) -> Iterator[tuple[Reading, Recorder, bool]]:
    """The reading of ``corpus`` at ``points``, its recorder, and whether windows of several lengths may share a batch.

    Raises :class:`InputError` as :func:`glasso_cli.hooks.invariants.check_hook_points` does.
    """
    import torch

    from glasso_cli.hooks import record
    from glasso_cli.hooks.invariants import check_hook_points
    from glasso_cli.hooks.windows import lengths_can_mix

    shared = shared or Shared()
    invariants = shared.once(("checked", loaded.kind, tuple(points)), lambda: check_hook_points(loaded, points))
    with record(loaded.model, points) as recorder:
        extreme = [torch.from_numpy(window.ids).long() for window in _extreme(corpus.windows)]
        mixed = lengths_can_mix(loaded, recorder, extreme)
        reading = read_texts(
            loaded, points, recorder, corpus, invariants, section, mixed_lengths=mixed, reporter=reporter
        )
        oriented = ("orientation", loaded.kind, tuple(points))
        kept = replace(reading, orientation=lambda: shared.once(oriented, reading.orientation))
        yield kept, recorder, mixed


def tokenized(
    loaded: LoadedModel, texts: Iterable[str], section: CollectSection, max_tokens: int | None
) -> TokenizedCorpus:
    """The windows of ``texts`` that ``loaded`` reads, up to and including the document that reaches ``max_tokens``.

    They have at most ``section.max_length`` tokens, or as many as the model has positions for, and begin with a decoder's
    start token. Raises :class:`InputError` as :func:`glasso_cli.corpora.windows.tokenize` does.
    """
    length = _window_length(loaded, section)
    return tokenize(texts, loaded.tokenizer, max_length=length, max_tokens=max_tokens, start=loaded.start)


def _window_length(loaded: LoadedModel, section: CollectSection) -> int:
    """How many tokens a window has at most, special ones included."""
    return min(section.max_length, longest_window(loaded.model) or section.max_length)


def read_texts(
    loaded: LoadedModel,
    points: Sequence[HookPoint],
    recorder: Recorder,
    corpus: TokenizedCorpus,
    invariants: InvariantReport,
    section: CollectSection,
    *,
    mixed_lengths: bool,
    reporter: Reporter,
) -> Reading:
    """A language model at its hook points, and the windows of texts that it reads."""

    @contextmanager
    def fresh(seed: int) -> Iterator[Reading]:
        from glasso_cli.hooks import record, resolve_hook_points
        from glasso_cli.models.reinitialised import reinitialised

        other = replace(loaded, model=reinitialised(loaded.model, seed))
        if any(point.expert is not None for point in points):  # how experts are read is known of each module by itself
            resolve_hook_points(other.model, [f"expert.{p.layer}.{p.expert}" for p in points if p.expert is not None])
        with record(other.model, points) as recorder:
            read = read_texts(
                other,
                points,
                recorder,
                corpus,
                replace(invariants, gated=()),
                section,
                mixed_lengths=mixed_lengths,
                reporter=reporter,
            )
            yield replace(read, counts=counts)

    frame, pad_id = special_frame(loaded.tokenizer, loaded.start), padding_id(loaded.tokenizer)
    gated = [point.name in invariants.gated for point in points]

    @cache
    def counts() -> DocumentCounts:
        repeats = count_repeats(corpus)
        return DocumentCounts(corpus.n_documents, corpus.n_empty, repeats.identical, repeats.nearly)

    return Reading(
        network=loaded,
        points=points,
        gated=gated,
        windows=corpus.windows,
        counts=counts,
        samples="tokens",
        batches=lambda windows, budget: batches(windows, budget=budget, pad_id=pad_id, mixed_lengths=mixed_lengths),
        reader=lambda: Capture(recorder, points, frame, section.mask),
        orientation=lambda: reference_orientation(loaded, recorder, points, gated),
        symbols=lambda ids: token_texts(loaded.tokenizer, ids.tolist()),
        autocorrelation=Autocorrelation,
        dtype_difference=lambda batch: _dtype_difference(loaded, points, batch, reporter),
        invariants=invariants.as_meta(),
        batch_samples=BATCH_TOKENS,
        fresh=fresh,
    )


def _dtype_difference(
    loaded: LoadedModel, points: Sequence[HookPoint], batch: Batch, reporter: Reporter
) -> dict[str, Any]:
    """What a dtype below float32 costs, measured on one batch and said aloud."""
    import torch

    from glasso_cli.hooks.invariants import dtype_difference

    ids, attention = torch.from_numpy(batch.ids), torch.from_numpy(batch.attention)
    measured = dtype_difference(loaded, points, ids, attention)
    for name, difference in measured.items():
        reporter.note(
            f"{loaded.dtype} against float32 at {name}: correlations over {difference.n_tokens:,} tokens "
            f"differ by {difference.correlation_rms:.1e} rms, {difference.correlation_max:.1e} at most"
        )
    return {name: asdict(difference) for name, difference in measured.items()}


_ARBITRARY = {
    "resid": "the basis of the residual stream is arbitrary: use resid.N for directions, not for single coordinates.",
    "head": "the basis within an attention head is arbitrary where nothing acts on single coordinates of its values: compare "
    "heads, or directions within a head, not single coordinates.",
}


def warn_arbitrary(points: Sequence[HookPoint], name: str, reporter: Reporter) -> None:
    """Warn of hook points whose coordinates another network with the same outputs does not have."""
    for message in dict.fromkeys(_ARBITRARY[point.kind] for point in points if point.kind in _ARBITRARY):
        reporter.warn(f"{name}: {message}")


def _refuse_several_experts(points: Sequence[HookPoint]) -> None:
    """Raise :class:`InputError` where ``points`` are of more than one expert.

    Pairs across experts exist only over the tokens that were routed to both, which are few, and other ones for each pair.
    """
    experts = [point for point in points if point.expert is not None]
    if len(experts) > 1:
        raise InputError(
            f"The hook points are of {len(experts)} experts, such as '{experts[0].label}' and '{experts[1].label}', which "
            "see different tokens.",
            "Collect one expert at a time, alone or beside other hook points.",
        )


def _extreme(windows: Sequence[Window]) -> Sequence[Window]:
    """The shortest and the longest of ``windows``, or two of them where all have one length."""
    ordered = sorted(windows, key=lambda window: len(window.ids))
    return ordered if len(ordered) == 1 else [ordered[0], ordered[-1]]
