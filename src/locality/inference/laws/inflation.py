"""How much less sure an expectation is where values that it reads are missing.

A missing value is replaced by what is expected of it (`repair`), and its neighbors are judged with
that. What is then open of it, S, is open of them as well: a neighbor that expects with weights A
and standard deviation s is off by up to |A| S more. From the conditional laws, row by row,

    S_k = min(1, √(s_k² + (|A| S)_k²)) where missing, else 0 ,
    inflation_j = 1 + ((|A| S)_j / s_j)² ,

which takes errors of fills to add up: it is an upper bound, reached where they are of one sign.
"""

import numpy as np

from locality._typing import BoolArray, FloatArray
from locality.inference.laws.conditional import ConditionalLaw
from locality.local.field import ScoreField

__all__ = ["inflation", "tempered"]

_ROUNDS = 30
_SETTLED = 1e-3


def inflation(field: ScoreField, missing: BoolArray) -> FloatArray:
    """Factor by which the squared residual of every value grows [n_targets, n_rows], at least 1.

    Parameters
    ----------
    field : ScoreField
        Of a table or causal series.
    missing : bool array [n_nodes, n_rows]

    Examples
    --------
    >>> from locality import LocalizedDiffusion
    >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
    >>> X = OrnsteinUhlenbeckChain(5, correlation=0.8).sample(2_000, random_state=0)
    >>> model = LocalizedDiffusion(graph="chain", denoiser="linear", radius=1).fit(X)
    >>> gap = np.array([[False], [True], [False], [False], [False]])
    >>> found = inflation(model.model_.field, gap)[:, 0]
    >>> (found > 1).tolist()
    [True, False, True, False, False]
    """
    targets = field.domain.targets
    if not missing[targets].any():
        return np.ones((len(targets), missing.shape[1]))
    law = ConditionalLaw.of(field)[-1]  # of the first rows, which see less, a little too much
    weights = [abs(part) for part in law.weights]
    gap, scale = missing[targets], law.scale[:, None]
    left_open = np.zeros(missing.shape)

    def added() -> FloatArray:
        found = np.asarray(weights[0] @ left_open)
        for back in range(1, min(len(weights), missing.shape[1])):
            found[:, back:] += weights[back] @ left_open[:, :-back]
        return found

    for _ in range(_ROUNDS):
        now = np.where(gap, np.minimum(1.0, np.hypot(scale, added())), 0.0)
        change = float(np.abs(now - left_open[targets]).max())
        left_open[targets] = now
        if change < _SETTLED:
            break
    return np.asarray(1.0 + (added() / scale) ** 2)


def tempered(excess: FloatArray, factor: FloatArray) -> FloatArray:
    """Nats beyond normal, for residuals whose square is expected to be so many times larger."""
    return np.asarray(np.where(excess > 0.0, excess / factor, excess))
