"""Who neighbors whom: graphs, neighborhoods, stencils, partitions and discovery.

Here are the nouns that every other room speaks in; what learns, reads or cuts a graph is imported
from its own module.
"""

from locality.domain.axis import Axis as Axis
from locality.domain.boundary import boundary_classes as boundary_classes
from locality.domain.domain import Domain as Domain
from locality.domain.graph import DependencyGraph as DependencyGraph
from locality.domain.neighborhoods import Neighborhoods as Neighborhoods
from locality.domain.neighborhoods import hop_distances as hop_distances
from locality.domain.stencils import GIVEN as GIVEN
from locality.domain.stencils import NOISY as NOISY
from locality.domain.stencils import Stencils as Stencils
