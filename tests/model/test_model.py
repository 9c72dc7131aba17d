"""A model puts what its shards say in the order of its columns."""

from locality.model.model import Model


def test_gather_puts_every_component_in_its_place(model: Model) -> None:
    whole = model.gather("radius")
    assert len(whole) == len(model.domain.targets)
    by_node = {
        int(node): radius.tolist()
        for shard in model.shards
        for node, radius in zip(shard.target, shard.radius, strict=True)
    }
    assert whole.tolist() == [by_node[int(node)] for node in model.domain.targets]
