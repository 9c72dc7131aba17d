"""Columns of a standardizer that come, go, or are renamed; all others keep their laws."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from locality.data.transforms import Standardizer
from locality.exceptions import DataError

__all__ = ["joined", "renamed", "without"]


def without(standardizer: Standardizer, names: Sequence[str]) -> Standardizer:
    """The same map for a table that lacks some columns.

    Parameters
    ----------
    names : sequence of str

    Raises
    ------
    DataError
        If a column that stays is a copy of one of them, or no component is left.
    """
    kept = [j for j, name in enumerate(standardizer.names) if name not in names]
    place = {column: j for j, column in enumerate(kept)}
    for aside in standardizer.set_aside:
        if aside.column in place and aside.reason == "copy" and aside.source not in place:
            raise DataError(
                f"Column {aside.name!r} is a copy of {standardizer.names[aside.source]!r}, which "
                "is to be removed.",
                remedy="Remove both, or fit again without one of them.",
            )
    components = [k for k, column in enumerate(standardizer.modeled.tolist()) if column in place]
    if not components:
        raise DataError("No column that varies is left.", remedy="Keep one.")
    set_aside = tuple(
        replace(aside, column=place[aside.column], source=place.get(aside.source, -1))
        for aside in standardizer.set_aside
        if aside.column in place
    )
    left = [standardizer.names[j] for j in kept]
    return replace(
        standardizer,
        names=tuple(left),
        kinds=tuple(standardizer.kinds[j] for j in kept),
        modeled=np.array([place[standardizer.modeled[k]] for k in components], dtype=np.int64),
        mean=standardizer.mean[components],
        scale=standardizer.scale[components],
        set_aside=set_aside,
        marginals={
            new: standardizer.marginals[old]
            for new, old in enumerate(components)
            if old in standardizer.marginals
        },
        labels={name: texts for name, texts in standardizer.labels.items() if name in left},
        dtypes={name: dtype for name, dtype in standardizer.dtypes.items() if name in left},
        blur=standardizer.blur[components],
        log_scale=standardizer.log_scale[components],
        steps=standardizer.steps[components],
    )


def renamed(standardizer: Standardizer, names: Sequence[str]) -> Standardizer:
    """The same map with other names for the columns."""
    new = dict(zip(standardizer.names, names, strict=True))
    return replace(
        standardizer,
        names=tuple(names),
        set_aside=tuple(replace(aside, name=new[aside.name]) for aside in standardizer.set_aside),
        labels={new[name]: texts for name, texts in standardizer.labels.items()},
        dtypes={new[name]: dtype for name, dtype in standardizer.dtypes.items()},
    )


def joined(standardizer: Standardizer, other: Standardizer) -> Standardizer:
    """The map of a table that also has the columns of another map that this one lacks.

    Parameters
    ----------
    other : Standardizer
        Columns that both have are taken from this one; copies of them stay copies.
    """
    more = [j for j, name in enumerate(other.names) if name not in standardizer.names]
    names = (*standardizer.names, *(other.names[j] for j in more))
    place = {name: j for j, name in enumerate(names)}
    components = [k for k, column in enumerate(other.modeled.tolist()) if column in more]
    set_aside = tuple(
        replace(
            aside,
            column=place[aside.name],
            source=-1 if aside.source < 0 else place[other.names[aside.source]],
        )
        for aside in other.set_aside
        if aside.column in more
    )
    both = (
        (mine, theirs[components])
        for mine, theirs in (
            (standardizer.mean, other.mean),
            (standardizer.scale, other.scale),
            (standardizer.blur, other.blur),
            (standardizer.log_scale, other.log_scale),
            (standardizer.steps, other.steps),
        )
    )
    mean, scale, blur, log_scale, steps = (np.concatenate(pair) for pair in both)
    new = [place[other.names[column]] for column in other.modeled[components]]
    laws = {
        standardizer.n_modeled + at: other.marginals[k]
        for at, k in enumerate(components)
        if k in other.marginals
    }
    return Standardizer(
        names,
        (*standardizer.kinds, *(other.kinds[j] for j in more)),
        np.concatenate([standardizer.modeled, np.array(new, dtype=np.int64)]),
        mean,
        scale,
        (*standardizer.set_aside, *set_aside),
        {**standardizer.marginals, **laws},
        {**other.labels, **standardizer.labels},
        {**other.dtypes, **standardizer.dtypes},
        blur,
        log_scale,
        steps,
    )
