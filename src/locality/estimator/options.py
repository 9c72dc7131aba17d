"""Which parameter values are permitted, checked once at the start of ``fit``.

The table follows scikit-learn's: a parameter, the test it must pass, and what was expected. Errors
name the parameter, what it permits and what it got.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from locality.exceptions import OptionError

__all__ = ["check_options"]


def _whole(low: int) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int | np.integer) and not isinstance(v, bool) and bool(v >= low)


_PERMITTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "radius": (lambda v: v == "auto" or _whole(0)(v), '"auto" or a whole number of hops ≥ 0'),
    "lags": (_whole(0), "a whole number of rows ≥ 0"),
    "series": (lambda v: v in ("causal", "joint"), '"causal" or "joint"'),
    "tied": (lambda v: isinstance(v, bool), "True or False"),
    "given": (
        lambda v: isinstance(v, Sequence) and not isinstance(v, str),
        "a list of column names",
    ),
    "score": (lambda v: v in ("neural", "linear"), '"neural" or "linear"'),
    "n_neighbors": (_whole(1), "a whole number ≥ 1"),
    "edge_level": (lambda v: isinstance(v, float) and 0 < v < 1, "a share between 0 and 1"),
    "n_steps": (_whole(20), "a whole number ≥ 20"),
    "n_jobs": (_whole(1), "a whole number of processes ≥ 1"),
}


def check_options(estimator: Any) -> None:
    """Refuse parameters outside their permitted values.

    Parameters
    ----------
    estimator : LocalizedDiffusion

    Raises
    ------
    OptionError
        Naming the first parameter that is wrong.
    """
    for name, (permitted, expected) in _PERMITTED.items():
        value = getattr(estimator, name)
        if not permitted(value):
            raise OptionError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {expected}, "
                f"found {value!r}."
            )
