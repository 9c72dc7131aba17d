"""Edge lists in files: names are text, third columns are recognized, errors name row and sensor."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from locality.domain import DependencyGraph
from locality.domain.edge_list import read_edge_list
from locality.exceptions import DataError, GraphError, OptionError

NAMES = ["s000", "s001", "s007", "7"]


@pytest.fixture
def write(tmp_path):
    def write_text(text, name="edges.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


def test_names_are_matched_exactly_as_text(write):
    graph = read_edge_list(write("from,to\ns000,7\n7,s001\n"), NAMES)
    assert graph == DependencyGraph.from_edges([(0, 3), (3, 1)], 4)


def test_weight_column_is_the_weight_and_repeats_merge(write):
    path = write("from,to,weight\ns000,s001,0.5\ns001,s000,0.75\n")
    assert read_edge_list(path, NAMES) == DependencyGraph.from_edges([(0, 1, 0.75)], 4)


@pytest.mark.parametrize("title", ["distance_m", "Distance", "cost", "dist"])
def test_distances_become_weights(write, title):
    path = write(f"from,to,{title}\ns000,s001,10\ns001,s007,30\ns000,s000,0\n")
    expected = [(0, 1, 1 / (1 + 10 / 20)), (1, 2, 1 / (1 + 30 / 20))]
    assert read_edge_list(path, NAMES) == DependencyGraph.from_edges(expected, 4)
    assert read_edge_list(path, NAMES, threshold=15).n_edges == 1


def test_k_nearest_selects(write):
    path = write("from,to,distance\ns000,s001,1\ns001,s007,2\ns000,s007,9\n")
    graph = read_edge_list(path, NAMES, k_nearest=1)
    assert graph.to_scipy().toarray().astype(bool).sum() == 4


def test_parquet_and_csv_agree(write, tmp_path):
    path = tmp_path / "edges.parquet"
    pq.write_table(pa.table({"from": [7, 7], "to": ["s000", "s001"], "cost": [1.0, 2.0]}), path)
    text = write("\ufefffrom,to,cost\n7,s000,1\n7,s001,2.0\n")
    assert read_edge_list(path, NAMES) == read_edge_list(text, NAMES)


def test_unknown_sensors_are_listed_with_suggestions(write):
    path = write("from,to\ns00,s001\nx,007\n")
    with pytest.raises(GraphError) as caught:
        read_edge_list(path, NAMES[:3])
    message = str(caught.value)
    assert "3 sensors" in message
    assert "'s00' (did you mean 's00" in message
    assert "'007' (did you mean 's007'" in message
    assert "'x'," in message


def test_numbers_suggest_the_sensor_with_that_number(write):
    with pytest.raises(GraphError, match=r"'62' \(did you mean 's062'\?\)"):
        read_edge_list(write("from,to\n62,s162\n"), ["s162", "s062", "s620"])


def test_long_lists_of_unknown_sensors_are_cut(write):
    rows = "".join(f"n{k},n{k + 1}\n" for k in range(30))
    with pytest.raises(GraphError, match=r"31 sensors .* 'n9' and 21 more"):
        read_edge_list(write("from,to\n" + rows), ["a", "b"])


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("from,to\ns000,s000\n", GraphError, r"row 1 \('s000' to 's000'\): the edge joins"),
        ("from,to,weight\ns000,7,1\ns000,s001,-2\n", GraphError, r"row 2 .* no weight ≥ 0"),
        ("from,to,dist\ns000,s001,nan\n", GraphError, "no distance ≥ 0"),
        ("from,to,weight\ns000,s001,far\n", DataError, "column 'weight'"),
        ("a,b\ns000,s001\n", DataError, "no column 'from' and 'to'; found 'a', 'b'"),
        ("from,to,w\ns000,s001,1\n", DataError, "columns 'w' beside"),
        ("from,to,weight,cost\ns000,s001,1,1\n", DataError, "'weight', 'cost' beside"),
        ("", DataError, "the file is empty"),
        ("from,to\na,b,c\n", DataError, "cannot be read"),
    ],
)
def test_bad_files_are_named(write, text, kind, message):
    path = write(text)
    with pytest.raises(kind, match=message) as caught:
        read_edge_list(path, NAMES)
    assert str(path) in str(caught.value)


def test_missing_foreign_and_broken_files(write, tmp_path):
    with pytest.raises(DataError, match="no edge list at"):
        read_edge_list(tmp_path / "none.csv", NAMES)
    with pytest.raises(DataError, match=r"found '\.txt'"):
        read_edge_list(write("", "edges.txt"), NAMES)
    with pytest.raises(DataError, match="cannot be read"):
        read_edge_list(write("not parquet", "edges.parquet"), NAMES)


def test_empty_cells_in_parquet_are_named(tmp_path):
    path = tmp_path / "edges.parquet"
    pq.write_table(pa.table({"from": ["s000", None], "to": ["7", "7"]}), path)
    with pytest.raises(GraphError, match="row 2: column 'from' is empty"):
        read_edge_list(path, NAMES)


def test_selection_without_distances_is_an_error(write):
    with pytest.raises(OptionError, match="no column of distances"):
        read_edge_list(write("from,to\ns000,7\n"), NAMES, k_nearest=2)
