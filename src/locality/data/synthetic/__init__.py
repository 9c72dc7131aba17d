"""Laws that are known exactly: to draw from, and to judge a fitted model by."""

from locality.data.synthetic.banded import BandedGaussian
from locality.data.synthetic.chain import OrnsteinUhlenbeckChain
from locality.data.synthetic.double_well import DoubleWellChain
from locality.data.synthetic.gaussian import GaussianField, GaussianLaw
from locality.data.synthetic.law import Law

__all__ = [
    "BandedGaussian",
    "DoubleWellChain",
    "GaussianField",
    "GaussianLaw",
    "Law",
    "OrnsteinUhlenbeckChain",
]
