"""Who neighbors whom: graphs, neighborhoods, stencils, partitions and discovery."""

from locality.domain.axis import Axis as Axis
from locality.domain.boundary import boundary_classes as boundary_classes
from locality.domain.communities import communities as communities
from locality.domain.dependence import Dependence as Dependence
from locality.domain.dependence import learn_graph as learn_graph
from locality.domain.discovery import LearnedGraph as LearnedGraph
from locality.domain.discovery import learn_linear_graph as learn_linear_graph
from locality.domain.domain import Domain as Domain
from locality.domain.edge_list import read_edge_list as read_edge_list
from locality.domain.graph import DependencyGraph as DependencyGraph
from locality.domain.neighborhoods import Neighborhoods as Neighborhoods
from locality.domain.neighborhoods import hop_distances as hop_distances
from locality.domain.partition import Partition as Partition
from locality.domain.partition import partition as partition
from locality.domain.stencils import GIVEN as GIVEN
from locality.domain.stencils import NOISY as NOISY
from locality.domain.stencils import Stencils as Stencils
