"""From a network at a hook point to the latents of a dictionary there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.collection.corpus_pass import CorpusPass
from glasso_cli.collection.dictionaries.first_pass import LatentFindings, latent_findings, with_scale
from glasso_cli.collection.dictionaries.point import latent_point
from glasso_cli.collection.dictionaries.reader import LatentReader
from glasso_cli.collection.reading import Reader, Reading
from glasso_cli.collection.sparse.products import PAYS_FROM
from glasso_cli.config import CollectSection
from glasso_cli.config.neurons import indices_of, wanted_ids
from glasso_cli.engine import machine
from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.dictionary import Dictionary
from glasso_cli.models.dictionaries.hook_names import Hook
from glasso_cli.models.dictionaries.registry import load_dictionary
from glasso_cli.models.dictionaries.source import dictionary_digest, dictionary_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glasso_cli.hooks import HookPoint

MOST_DENSE = 16_384  # latents whose moments are kept by default: 8.6 GB in the file of 16 blocks
_COPIES = 3  # of p² numbers of 8 bytes: sums of a block, their packed form, the covariance


def dictionary_of(section: CollectSection) -> Dictionary | None:
    """The dictionary that ``section`` names, with its hook points; None if it names none.

    Raises :class:`InputError` for files that cannot be read, and a hook point that nobody named.
    """
    sae = section.sae
    if sae.file is None:
        return None
    folder = dictionary_folder(Path(sae.file))
    found = load_dictionary(folder, hook_in=sae.hook_point, hook_out=sae.output, scale=sae.scale, centre=sae.centre)
    if sae.output is not None and not found.transcoder:
        raise InputError(
            f"collect.sae.output is for transcoders, and {folder} holds an autoencoder, which reconstructs what it reads.",
            "Delete collect.sae.output.",
        )
    if section.hook_points:
        found = _at(found, section.hook_points[0])
    if found.hook_in.point is None:
        raise InputError(
            f"The hook point of the dictionary {folder} is not known here (in its files: {found.hook_in.described}).",
            "Set collect.sae.hook_point, such as resid.12.",
        )
    if found.transcoder and found.hook_out.point is None:
        raise InputError(
            f"The hook point that the transcoder {folder} predicts is not known here (in its files: {found.hook_out.described}).",
            "Set collect.sae.output, such as *layers.12.mlp:out.",
        )
    return found


def _at(dictionary: Dictionary, hook_point: str) -> Dictionary:
    """The dictionary at the ``hook_point`` of the section, which must not contradict the files."""
    hook = dictionary.hook_in
    if hook.point not in (None, hook_point):
        raise InputError(
            f"collect.hook_points names '{hook_point}', but the dictionary {dictionary.source} was trained at "
            f"{hook.described}.",
            "Delete collect.hook_points; if the files are wrong, set collect.sae.hook_point.",
        )
    return replace(dictionary, hook_in=Hook(hook.given, hook_point))


def dictionary_points(
    dictionary: Dictionary, resolve: Callable[[Sequence[str]], Sequence[HookPoint]]
) -> tuple[HookPoint, ...]:
    """The hook point that ``dictionary`` reads, and after it the one that a transcoder predicts.

    ``resolve`` finds the hook points of patterns. Raises :class:`InputError` unless each name is one hook point, and as wide as
    the dictionary.
    """
    points = [_point(dictionary, "reads", str(dictionary.hook_in.point), dictionary.d_in, resolve)]
    if dictionary.transcoder:
        points.append(_point(dictionary, "predicts", str(dictionary.hook_out.point), dictionary.d_out, resolve))
        if points[0].name == points[1].name:
            raise InputError(
                f"The transcoder {dictionary.source} would predict the hook point that it reads, '{points[0].name}'.",
                "Set collect.sae.output to the hook point that it was trained to predict.",
            )
    return tuple(points)


def _point(
    dictionary: Dictionary,
    does: str,
    pattern: str,
    width: int,
    resolve: Callable[[Sequence[str]], Sequence[HookPoint]],
) -> HookPoint:
    key, points = "hook_point" if does == "reads" else "output", resolve((pattern,))
    if len(points) != 1:
        raise InputError(
            f"'{pattern}' names {len(points)} hook points, but a dictionary {does} one.",
            f"Set collect.sae.{key} to one of them.",
        )
    if points[0].width != width:
        raise InputError(
            f"The dictionary {dictionary.source} {does} {width} coordinates a token, "
            f"but '{points[0].label}' has {points[0].width}.",
            f"Set collect.sae.{key} to where the dictionary was trained, in the model that it was trained on.",
        )
    return points[0]


def latent_reading(work: CorpusPass, dictionary: Dictionary) -> Reading:
    """The reading of ``work``, at :func:`dictionary_points`, with the latents of ``dictionary`` in the place of coordinates.

    A first pass checks the fit and counts in how many documents each latent fires. Raises :class:`InputError` for a
    dictionary that does not fit, and where fewer than two latents, or too many, are to be kept.
    """
    reading, base = work.reading, work.reading.points[0]
    dictionary = dictionary.on(reading.device)
    found = latent_findings(work, dictionary)
    dictionary = with_scale(dictionary, found)
    kept = _kept(work, base, found)
    point = latent_point(base, kept.tolist())
    left_out = int((found.documents < work.section.sae.least_documents).sum())
    _tell(work, found, left_out)

    def reader() -> Reader:
        import torch

        inner = reading.reader()
        inner.limits = found.limits
        return LatentReader(inner, dictionary, torch.from_numpy(kept).to(reading.device))

    report = {"width": dictionary.width, "left_out": left_out, **found.fit}
    report["sha256"] = dictionary_digest(Path(str(work.section.sae.file)))
    return replace(
        reading,
        points=(point,),
        gated=(False,),
        reader=reader,
        orientation=lambda: np.ones(len(kept), np.int8),  # latents are never negative
        sparse=_pays(work, found, len(kept)),
        keeps_values=_keeps_values(work, len(kept)),
        invariants={**reading.invariants, "dictionary": report},
    )


def _kept(work: CorpusPass, base: HookPoint, found: LatentFindings) -> np.ndarray:
    """The latents to read, ascending: those in enough documents, and of these the ones that the section names."""
    least = work.section.sae.least_documents
    kept = np.flatnonzero(found.documents >= least)
    wanted = wanted_ids(work.section.neurons)
    if wanted is not None:
        ids = latent_point(base, range(len(found.documents))).neuron_ids
        named = np.array(indices_of(wanted, ids))
        rare = named[found.documents[named] < least]
        if len(rare):
            raise InputError(
                f"The latent '{ids[rare[0]]}' fires in {found.documents[rare[0]]:,} of {found.read:,} documents, fewer "
                f"than the {least:,} of collect.sae.least_documents.",
                "Leave it out of collect.neurons, lower collect.sae.least_documents, or give more text.",
            )
        if len(named) < 2:
            raise InputError("collect.neurons names one latent, and a graph needs two.", "Name more latents.")
        kept = named
    if len(kept) < 2:
        raise InputError(
            f"{'One' if len(kept) else 'None'} of the {len(found.documents):,} latents fires in {least:,} of "
            f"{found.read:,} documents or more, and a graph needs two.",
            "Give more documents (collect.max_tokens), or lower collect.sae.least_documents.",
        )
    _require_memory(work, len(kept))
    return kept


def _collected(work: CorpusPass, kept: int) -> int:
    """How many of the ``kept`` latents are collected."""
    choice = work.section.neurons
    return min(kept, choice) if isinstance(choice, int) else kept


def _pays(work: CorpusPass, found: LatentFindings, kept: int) -> bool:
    """Whether few enough latents are active for sparse sums. A GPU multiplies dense matrices faster."""
    few = PAYS_FROM * found.fit["l0"] <= _collected(work, kept)
    return few and work.reading.device.type == "cpu"


def _keeps_values(work: CorpusPass, kept: int) -> bool:
    """Whether the values of latents are kept, and no moments. Raises :class:`InputError` if shifted ones are wanted too."""
    wanted = work.section.sae.moments
    if wanted == "dense" or (wanted == "auto" and _collected(work, kept) <= MOST_DENSE):
        return False
    if work.section.null is True:
        raise InputError(
            "collect.null: true needs the moments of all pairs, which are not kept of many latents.",
            "Set collect.null: false, or collect fewer latents with collect.sae.moments: dense.",
        )
    return True


def _require_memory(work: CorpusPass, kept: int) -> None:
    """Raise :class:`InputError` where the moments and the pilot sample of ``kept`` latents take more than there is."""
    count = _collected(work, kept)
    sample = sum(window.size for window in work.pilot_windows())
    pairs = 0 if _keeps_values(work, kept) else _COPIES * 8 * count**2
    needed, available = pairs + 2 * 4 * sample * kept, machine.available_memory()
    if needed > available:
        raise InputError(
            f"Collecting {count:,} of {kept:,} latents takes about {needed / 1e9:.1f} GB of memory, and "
            f"{available / 1e9:.1f} GB are available.",
            "Keep fewer: raise collect.sae.least_documents, or give a number in collect.neurons; or set "
            "collect.sae.moments: sparse.",
        )


def _tell(work: CorpusPass, found: LatentFindings, left_out: int) -> None:
    fit, width = found.fit, len(found.documents)
    work.reporter.note(
        f"collect {work.name}: the dictionary leaves {fit['fvu']:.3f} of the variance unexplained (at most "
        f"{fit['bound']:.3g}), with {fit['l0']:.1f} latents a token, over {fit['tokens']:,} tokens"
    )
    work.reporter.note(
        f"collect {work.name}: {width - left_out:,} of {width:,} latents fire in at least "
        f"{work.section.sae.least_documents:,} of {found.read:,} documents; {left_out:,} are left out"
    )
