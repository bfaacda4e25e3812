"""Exact splitting of a joint graphical lasso into independent ones.

Two groups of neurons are apart in the precisions of every corpus if and only if, for every pair between them, the vector
of the K weighted covariances w_k S_k,ij is in the set C of the penalty: then the inverse may be zero there, too. For the
group penalty that is sum_k (|w_k S_k,ij| - lambda1)_+^2 <= lambda2^2, for the fused one of two corpora
|w_k S_k,ij| <= lambda1 + lambda2 and |sum_k w_k S_k,ij| <= 2 lambda1 (Danaher, Wang and Witten, 2014), and of more
than two the same for every run of them.
"""

from __future__ import annotations

import numpy as np

from glasso_cli.solvers.joint.penalty import Penalty


def joint_labels(covariances: np.ndarray, weights: np.ndarray, penalty: Penalty) -> np.ndarray:
    """The component ``(p,)`` of each neuron, numbered from 0, for ``covariances (K, p, p)``; row by row."""
    p = covariances.shape[1]
    label = np.full(p, -1)
    component = 0
    for seed in range(p):
        if label[seed] >= 0:
            continue
        label[seed] = component
        waiting = [seed]
        while waiting:
            row = waiting.pop()
            new = np.flatnonzero(label < 0)
            new = new[penalty.outside(weights[:, None] * covariances[:, row, new])]
            label[new] = component
            waiting.extend(new.tolist())
        component += 1
    return label
