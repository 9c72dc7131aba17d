"""Kinds of networks: what an entry says of its weights is what its class makes and evaluates."""

import pytest
import torch

from locality.exceptions import OptionError
from locality.local.kinds import KINDS, MAX_LAYERS, NetworkKind, kind_of, perceptron_name
from locality.local.network import LocalNetworks
from locality.noise.streams import stream


def test_there_is_a_perceptron_of_two_layers_up_to_the_most() -> None:
    assert set(KINDS) == {perceptron_name(layers) for layers in range(2, MAX_LAYERS + 1)}
    assert len(KINDS) == MAX_LAYERS - 1


@pytest.mark.parametrize("layers", range(2, MAX_LAYERS + 1))
def test_networks_have_the_weights_that_their_kind_names(layers: int) -> None:
    kind = kind_of(perceptron_name(layers))
    networks = kind.load().initial(3, 16, 24, stream(0), layers)
    assert networks.kind == perceptron_name(layers)
    lengths = {"networks": 3, "inputs": 16, "width": 24}
    assert list(networks.weights) == list(kind.weights)
    for name, axes in kind.weights.items():
        assert axes[0] == "networks"
        assert tuple(networks.weights[name].shape) == tuple(lengths[axis] for axis in axes)
        assert networks.weights[name].dtype == torch.float32
    again = kind.load().of({name: w.numpy() for name, w in networks.weights.items()})
    assert again.kind == networks.kind
    again.weights["w1"].fill_(2.0)
    assert (networks.weights["w1"] == 2.0).all()  # shared, not copied


def test_a_class_may_stand_in_place_of_its_name() -> None:
    assert NetworkKind({}, LocalNetworks).load() is LocalNetworks
    assert NetworkKind({}, "locality.local.network:LocalNetworks").load() is LocalNetworks


def test_other_kinds_are_refused_and_those_there_are_named() -> None:
    with pytest.raises(OptionError, match="no networks of kind 'forest'") as refused:
        kind_of("forest")
    assert all(name in str(refused.value) for name in KINDS)
