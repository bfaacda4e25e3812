"""What scores found, and how far they can be trusted, in sentences."""

from __future__ import annotations

from glasso_cli.artifacts.metrics import ScoreMetrics
from glasso_cli.artifacts.metrics.scores import FormMeasured


def one_line(metrics: ScoreMetrics) -> str:
    """The scores in a line."""
    found = "; ".join(f"{item.form} {_spearman(item)}" for item in metrics.forms)
    return f"{metrics.neurons:,} neurons at {len(metrics.hook_points)} hook points; rank correlation with exact ablation: {found}"


def scores_summary(metrics: ScoreMetrics) -> list[tuple[str, str]]:
    """Name and text of every line that `glasso show` prints."""
    lines = [
        ("scalar", f"{metrics.scalar}; {metrics.clean:.4g} per token, with all neurons ablated {_everything(metrics)}"),
        ("neurons", f"{metrics.neurons:,} at {', '.join(metrics.hook_points)}"),
        (
            "texts",
            f"attributions on {metrics.attributed.tokens:,} tokens of {metrics.attributed.documents:,} documents, effects and curves "
            f"on {metrics.held_out.tokens:,} tokens of {metrics.held_out.documents:,} others",
        ),
    ]
    lines += [(item.form, _form(item)) for item in metrics.forms]
    if metrics.missed is not None:
        found = metrics.missed
        lines.append(
            (
                "missed",
                f"{found.larger} of {found.sampled:,} neurons drawn at random outside the top have an effect above {found.threshold:.3g}; "
                f"with 95 % confidence at most {found.share:.2%} do, {found.neurons:,} neurons",
            )
        )
    return lines


def _everything(metrics: ScoreMetrics) -> str:
    return ", ".join(f"{value:.4g} ({kind})" for kind, value in metrics.everything.items()) or "not measured"


def _spearman(item: FormMeasured) -> str:
    if item.spearman is None:
        return "not measured"
    return f"{item.spearman:.3f} [{item.spearman_low:.3f}, {item.spearman_high:.3f}]"


def _form(item: FormMeasured) -> str:
    sampled = (
        ""
        if item.sampled is None
        else f" ({item.sampled:.3f} [{item.sampled_low:.3f}, {item.sampled_high:.3f}] on the random sample)"
    )
    ahead = "" if item.ahead is None else f"; measured on other documents {item.ahead:.3f}"
    signs = "" if item.signs is None else f"; same sign for {item.signs:.0%} of the effects by size"
    return f"rank correlation with exact effects {_spearman(item)}{sampled}{ahead}{signs}; with itself on the other documents {item.repeats:.3f}"
