"""What scores found, and how far they can be trusted, in sentences."""

from __future__ import annotations

from glasso_cli.artifacts.metrics import ScoreMetrics
from glasso_cli.artifacts.metrics.scores import FormMeasured

SCALARS = {
    "loss": "the loss of the next token (nats)",
    "logit_difference": "the difference of two logits",
    "class_logit": "the logit of a class",
    "kl": "the divergence from the clean prediction (nats)",
}


def one_line(metrics: ScoreMetrics) -> str:
    """The scores in a line."""
    found = "; ".join(f"{item.form} {_spearman(item)}" for item in metrics.forms)
    return f"{metrics.neurons:,} neurons at {len(metrics.hook_points)} hook points; rank correlation with exact ablation: {found}"


def scores_summary(metrics: ScoreMetrics) -> list[tuple[str, str]]:
    """Name and text of every line that `glasso show` prints."""
    lines = [
        ("scalar", _scalar(metrics)),
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


def _scalar(metrics: ScoreMetrics) -> str:
    if metrics.clean is None:
        return metrics.scalar
    all_ablated = ", ".join(f"{value:.4g} ({kind})" for kind, value in metrics.everything.items())
    return f"{metrics.scalar}; {metrics.clean:.4g} per token, with all neurons ablated {all_ablated}"


def _spearman(item: FormMeasured) -> str:
    return _with_interval(item.spearman, item.spearman_low, item.spearman_high)


def _with_interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return "not known"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _form(item: FormMeasured) -> str:
    words = [f"rank correlation with exact effects {_spearman(item)}"]
    if item.sampled is not None:
        words.append(f"on the random sample alone {_with_interval(item.sampled, item.sampled_low, item.sampled_high)}")
    if item.ahead is not None:
        words.append(f"measured on other documents {item.ahead:.3f}")
    if item.signs is not None:
        words.append(f"{item.signs:.0%} of the effects by size have the right sign")
    if item.repeats is not None:
        words.append(f"rank correlation of both parts of the documents {item.repeats:.3f}")
    return "; ".join(words)
