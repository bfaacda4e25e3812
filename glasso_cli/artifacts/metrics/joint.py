"""What a joint fit of several corpora measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JointCorpus:
    """One of the corpora fitted at once."""

    name: str
    edges: int


@dataclass(frozen=True)
class JointMetrics:
    """The penalties, what they left, and the certificate."""

    method: str
    neurons: int
    corpora: tuple[JointCorpus, ...]
    lambda1: float
    lambda2: float
    edges: dict[str, int]  # by how many corpora have them
    largest_component: int
    objective: float  # nats
    duality_gap: float  # nats per neuron
    kkt_residual: float
    n_iter: int
    converged: bool
    tol: float
