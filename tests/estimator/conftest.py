"""A small table with everything that needs care: correlation, integers, constants, copies."""

import numpy as np
import pandas as pd
import pytest

from locality.data.synthetic import OrnsteinUhlenbeckChain


@pytest.fixture
def frame() -> pd.DataFrame:
    """Six columns of an Ornstein–Uhlenbeck chain in odd units, with an index of its own."""
    x = OrnsteinUhlenbeckChain(6, correlation=0.8).sample(400, random_state=0)
    scales = np.array([1.0, 100.0, 0.01, 5.0, 30.0, 2.0])
    names = ["feed", "pressure", "level", "temperature", "flow", "valve"]
    index = pd.Index(np.arange(400) * 0.05, name="hours")
    return pd.DataFrame(x * scales + 10 * scales, columns=names, index=index)
