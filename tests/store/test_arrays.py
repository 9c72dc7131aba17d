"""Arrays as bytes, and back."""

import numpy as np

from locality.store.arrays import from_bytes, to_bytes


def test_arrays_come_back_writable_and_as_they_were() -> None:
    rng = np.random.default_rng(0)
    arrays = {"a": rng.normal(size=(3, 4)).T, "b": np.zeros((0, 2)), "c": np.arange(4)[::-2]}
    found = from_bytes(to_bytes(arrays))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].flags.writeable
        assert found[name].flags.c_contiguous
