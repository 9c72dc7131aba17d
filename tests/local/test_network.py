"""Local networks: the hand-written backward pass against automatic differentiation."""

import numpy as np
import pytest
import torch

from locality.local.network import LocalNetworks, round_up
from locality.noise.streams import stream


def random_networks(
    n_units: int = 5, n_inputs: int = 16, width: int = 24, layers: int = 3
) -> LocalNetworks:
    generator = stream(1, n_units)
    networks = LocalNetworks.initial(n_units, n_inputs, width, generator, layers)
    for name in networks.names[-2:]:
        networks.weights[name].copy_(torch.randn(networks.weights[name].shape, generator=generator))
    return networks


def reference(weights: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The formula of the module, in the precision of its arguments."""

    def activation(u: torch.Tensor) -> torch.Tensor:
        c = u.clamp(0.0, 2.0)
        return c * (u - c / 2)

    *hidden, last, bias = weights.values()
    for weight in hidden:
        x = activation(torch.einsum("jih,jin->jhn", weight, x))
    return torch.einsum("jh,jhn->jn", last, x) + bias[:, None]


def inputs(n_units: int = 5, n_inputs: int = 16, n_rows: int = 300) -> torch.Tensor:
    return torch.randn(n_units, n_inputs, n_rows, generator=stream(2))


@pytest.mark.parametrize("layers", [2, 3, 4, 6])
def test_forward_and_backward_agree_with_automatic_differentiation(layers: int) -> None:
    """Relative to the reference in double precision: 1e-5 in norm, for every weight array; so are
    derivatives by the inputs.
    """
    networks, x = random_networks(layers=layers), inputs()
    assert networks.kind == ("perceptron" if layers == 3 else f"perceptron-{layers}")
    slope = torch.randn(5, 300, generator=stream(3))
    exact = {name: w.double().requires_grad_() for name, w in networks.weights.items()}
    seen = x.double().requires_grad_()
    output = reference(exact, seen)
    by_input = torch.autograd.grad(output.sum(), seen, retain_graph=True)[0]
    (output * slope.double()).sum().backward()
    torch.testing.assert_close(networks.apply(x.double()), output.detach())
    gradients = networks.zeros_like()
    for chunk in networks.chunks(300):
        f = networks.forward(x[chunk], chunk)
        torch.testing.assert_close(f.double(), output[chunk].detach(), rtol=1e-4, atol=1e-5)
        networks.backward(x[chunk], slope[chunk], chunk, gradients)
        networks.forward(x[chunk], chunk)
        found = networks.gradient(x[chunk], chunk).double()
        assert (found - by_input[chunk]).norm() < 1e-5 * by_input[chunk].norm()
        networks.forward(x[chunk], chunk)
        found = networks.slope(x[chunk], chunk, 3).double()
        assert (found - by_input[chunk, 3]).norm() < 1e-5 * by_input[chunk, 3].norm()
    for name, gradient in gradients.items():
        truth = exact[name].grad
        assert truth is not None
        assert (gradient.double() - truth).norm() < 1e-5 * truth.norm(), name


@pytest.mark.parametrize("n_rows", [1, 64, 1000])
def test_chunks_cover_every_unit_once_and_change_nothing(n_rows: int) -> None:
    networks, x = random_networks(12), inputs(12, n_rows=n_rows)
    slope = torch.randn(12, n_rows, generator=stream(4))
    covered = torch.cat([torch.arange(12)[chunk] for chunk in networks.chunks(n_rows)])
    assert covered.tolist() == list(range(12))
    results = []
    for chunks in ([slice(0, 12)], [slice(j, j + 1) for j in range(12)], networks.chunks(n_rows)):
        gradients, outputs = networks.zeros_like(), []
        for chunk in chunks:
            outputs.append(networks.forward(x[chunk], chunk).clone())
            networks.backward(x[chunk], slope[chunk], chunk, gradients)
        results.append({"f": torch.cat(outputs), **gradients})
    for other in results[1:]:
        for name, value in results[0].items():
            torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-4)


def test_units_never_mix() -> None:
    """NaN in the inputs, slopes and weights of one unit stays in that unit, to the bit."""
    networks, x = random_networks(), inputs()
    slope = torch.randn(5, 300, generator=stream(3))
    everything = slice(0, 5)

    def run() -> dict[str, torch.Tensor]:
        gradients = networks.zeros_like()
        f = networks.forward(x, everything).clone()
        networks.backward(x, slope, everything, gradients)
        return {"f": f, **gradients}

    clean = run()
    for array in (x, slope, *networks.weights.values()):
        array[2] = torch.nan
    poisoned = run()
    others = [0, 1, 3, 4]
    for name, value in clean.items():
        assert torch.equal(poisoned[name][others], value[others]), name
        assert poisoned[name][2].isnan().any(), name


def test_networks_start_at_zero() -> None:
    networks = LocalNetworks.initial(3, 8, 16, stream(5))
    assert (networks.forward(inputs(3, 8), slice(0, 3)) == 0).all()


def test_hidden_activations_start_at_a_steady_scale() -> None:
    """Neither dying nor exploding: inputs of scale 1 give second activations of scale 0.1 to 2."""
    for n_inputs, width in ((8, 32), (64, 64), (160, 128)):
        networks = LocalNetworks.initial(4, n_inputs, width, stream(6))
        networks.weights["w3"].fill_(width**-0.5)
        x = torch.randn(4, n_inputs, 2000, generator=stream(7))
        spread = networks.forward(x, slice(0, 4)).std()
        assert 0.1 < spread < 2.0


def test_taken_units_are_copies() -> None:
    networks = random_networks()
    taken = networks.take(torch.tensor([3, 1]))
    x = inputs()[[3, 1]]
    before = taken.forward(x, slice(0, 2)).clone()
    for w in networks.weights.values():
        w.zero_()
    assert torch.equal(taken.forward(x, slice(0, 2)), before)
    assert (taken.n_units, taken.n_inputs, taken.width) == (2, 16, 24)


def test_round_up_to_multiples_of_eight() -> None:
    assert [round_up(n) for n in (0, 1, 8, 9, 16, 17)] == [0, 8, 8, 16, 16, 24]
    assert all(round_up(n) % 8 == 0 and 0 <= round_up(n) - n < 8 for n in np.arange(100))


def test_another_device_gets_a_copy_and_the_same_one_the_networks_themselves() -> None:
    networks = random_networks()
    assert networks.to("cpu") is networks
    assert networks.to(torch.device("cpu")) is networks
    away = networks.to("meta")
    assert away.device == torch.device("meta")
    assert {name: w.shape for name, w in away.weights.items()} == {
        name: w.shape for name, w in networks.weights.items()
    }
    assert networks.device == torch.device("cpu")


def test_slopes_are_those_of_the_first_input_unless_told_otherwise() -> None:
    networks, x = random_networks(), inputs()
    everything = slice(0, 5)
    networks.forward(x, everything)
    first = networks.slope(x, everything).clone()
    networks.forward(x, everything)
    gradient = networks.gradient(x, everything)
    torch.testing.assert_close(first, gradient[:, 0], rtol=1e-4, atol=1e-4)


def test_chunks_are_as_large_as_the_cache_and_never_empty() -> None:
    """Units times rows are at most 1,536, and one unit more would be too many."""
    networks = random_networks(40, 8, 8)
    for n_rows in (1, 7, 64, 100, 768, 1536, 1537, 5000):
        size = networks.chunk_size(n_rows)
        assert size == 1 or size * n_rows <= 1536
        assert (size + 1) * n_rows > 1536
        sizes = [chunk.stop - chunk.start for chunk in networks.chunks(n_rows)]
        assert sum(sizes) == 40
        assert all(found == size for found in sizes[:-1])


def test_shapes_may_change_from_call_to_call() -> None:
    """Buffers of many numbers of rows and units: what was there before leaves no trace."""
    networks, x = random_networks(), inputs()
    weights = {name: w.double() for name, w in networks.weights.items()}
    for n_rows in (1, 5, 300, 5, 17, 1, 64, 2, 300):
        for chunk in (slice(0, 5), slice(1, 3), slice(4, 5)):
            part = x[chunk, :, :n_rows].contiguous()
            exact = reference({n: w[chunk] for n, w in weights.items()}, part.double())
            found = networks.forward(part, chunk)
            torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-5)
    assert len(networks._buffers) <= 5


def test_weights_put_in_place_of_others_are_used() -> None:
    """Views are kept for the tensors that they are of."""
    networks, x = random_networks(), inputs()
    chunk = slice(0, 5)
    networks.forward(x, chunk)
    for name in networks.names:
        networks.weights[name] = 0.5 * networks.weights[name]
        exact = reference({n: w.double() for n, w in networks.weights.items()}, x.double())
        found = networks.forward(x, chunk)
        torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-5)


def test_inputs_of_scale_one_start_hidden_units_at_the_knee() -> None:
    """First pre-activations have variance κ = 2, second layers 1/(κ² width) per weight."""
    networks = LocalNetworks.initial(20, 64, 128, stream(8), 4)
    shares = {"w1": 2.0 / 64, "w2": 1 / (4 * 128), "w3": 1 / (4 * 128)}
    for name, variance in shares.items():
        assert float(networks.weights[name].var()) == pytest.approx(variance, rel=0.03)
    assert (networks.weights["w4"] == 0).all()
    assert (networks.weights["b4"] == 0).all()
