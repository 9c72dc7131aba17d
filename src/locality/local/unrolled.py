"""A lattice as a table: every position becomes a node of its own, with a shard of its own.

Positions of a lattice share one law, which is what it is learned by. Questions about single
positions (what is missing here, what if this one is held) are about different nodes, as in a table.
Unrolling answers them with the same denoisers: every position gets the patch of its boundary class,
slots outside the lattice become padding, and networks are kept where they were trained.
"""

from dataclasses import replace

import numpy as np

from locality._typing import IntArray
from locality.domain.domain import Domain
from locality.domain.graph import DependencyGraph
from locality.exceptions import OptionError
from locality.local.field import ScoreField
from locality.local.shard import ShardState

__all__ = ["unrolled"]


def unrolled(field: ScoreField, extent: tuple[int, ...], names: tuple[str, ...]) -> ScoreField:
    """The field of a lattice as that of a table.

    Parameters
    ----------
    field : ScoreField
        Of a lattice without context.
    extent : tuple of int
        Positions along each axis.
    names : tuple of str [n_nodes * prod(extent)]
        Of the new nodes: those of the first node, position by position, then of the next.

    Returns
    -------
    ScoreField
        Its denoiser of a state [n_nodes * prod(extent), n_samples] is that of the lattice.

    Raises
    ------
    OptionError
        If a neighborhood reaches around a periodic axis, so that a node would be its own neighbor
        twice.

    Examples
    --------
    >>> from locality.data.synthetic import OrnsteinUhlenbeckChain
    >>> from locality import LocalizedDiffusion
    >>> X = OrnsteinUhlenbeckChain(6, correlation=0.8).sample(500, random_state=0)
    >>> model = LocalizedDiffusion(graph="chain", tied=True, denoiser="linear", radius=1)
    >>> field = model.fit(X).model_.field
    >>> table = unrolled(field, (6,), tuple("abcdef"))
    >>> table.domain.n_nodes, [len(shard.source_node) for shard in table.shards]
    (6, [2, 3, 3, 3, 3, 2])
    """
    domain = field.domain
    shards = tuple(part for shard in field.shards for part in _by_position(shard, domain, extent))
    n_positions = int(np.prod(extent, dtype=np.int64))
    limits = None if field.limits is None else np.repeat(field.limits, n_positions, axis=0)
    return ScoreField(Domain(_graph(domain, extent), names), shards, limits)


def _by_position(shard: ShardState, domain: Domain, extent: tuple[int, ...]) -> list[ShardState]:
    """One shard for every position, with the components of the one given."""
    n_positions = int(np.prod(extent, dtype=np.int64))
    class_of_position, inside = shard.sources.inside(domain, extent)
    trained = {row.tobytes() for row in shard.networks.trained_inside}
    positions = np.stack(np.unravel_index(np.arange(n_positions), extent), axis=1)
    found = []
    for position, number in zip(positions, class_of_position, strict=True):
        at = position + shard.source_offset
        for axis, size in enumerate(extent):
            if domain.axes[axis].periodic:
                at[:, axis] %= size
        kept = np.flatnonzero(inside[number])
        nodes = shard.source_node[kept] * n_positions + np.ravel_multi_index(
            tuple(at[kept].T), extent
        )
        if len(np.unique(nodes)) < len(nodes):
            raise OptionError(
                f"A neighborhood reaches around a ring of {extent[0]} positions.",
                remedy="Fit with a smaller radius.",
            )
        here = int(np.ravel_multi_index(tuple(position), extent))
        found.append(
            _moved(
                shard if inside[number].tobytes() in trained else shard.linear,
                shard.target * n_positions + here,
                kept,
                nodes,
            )
        )
    return found


def _moved(shard: ShardState, target: IntArray, kept: IntArray, nodes: IntArray) -> ShardState:
    """The shard with some of its sources only, under other numbers."""
    found, n = shard.reading(kept), len(kept)
    return replace(
        found,
        target=target,
        source_node=nodes,
        source_offset=np.zeros((n, 0), dtype=np.int64),
        networks=replace(found.networks, trained_inside=np.ones((1, n), dtype=bool)),
    )


def _graph(domain: Domain, extent: tuple[int, ...]) -> DependencyGraph:
    """Nodes joined as in the lattice at every position, and along the axes."""
    n_positions = int(np.prod(extent, dtype=np.int64))
    everywhere = np.arange(n_positions)
    i, j, weight = domain.graph.edges()
    across = np.column_stack(
        [
            (i[:, None] * n_positions + everywhere).ravel(),
            (j[:, None] * n_positions + everywhere).ravel(),
            np.repeat(weight, n_positions),
        ]
    )
    a, b, _ = DependencyGraph.grid(extent, [axis.periodic for axis in domain.axes]).edges()
    first = np.arange(domain.n_nodes)[:, None] * n_positions
    along = np.column_stack([(first + a).ravel(), (first + b).ravel()])
    along = np.column_stack([along, np.ones(len(along))])
    return DependencyGraph.from_edges(np.vstack([across, along]), domain.n_nodes * n_positions)
