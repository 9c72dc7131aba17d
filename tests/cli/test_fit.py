"""What ``fit`` and ``info`` write and say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from locality import LocalizedDiffusion

Cli = Callable[..., Any]


def test_fit_is_the_fit_of_python(fitted: Path) -> None:
    ours = LocalizedDiffusion.load(fitted / "plant.locality")
    frame = pd.read_csv(fitted / "plant.csv")
    model = LocalizedDiffusion(time="when", denoiser="linear", random_state=0).fit(frame)
    assert np.array_equal(ours.held_out_nats_, model.held_out_nats_)
    assert ours.component_names_ == model.component_names_


def test_fit_tells_what_an_engineer_asks(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    arguments = ("--time", "when", "--denoiser", "linear", "--drop", "count")
    result = cli("fit", fitted / "plant.csv", "-o", model, *arguments)
    assert result.code == 0
    assert result.err == ""  # no progress where there is no terminal
    for words in (
        "300 (rows in no order)",
        "8, 6 modeled",
        "site (constant at 7)",
        "level in mm (copy of level)",
        "neighbors per column on average, learned from partial correlations",
        "independent: every column alone",
        "local linear: with its neighborhood",
        "In plain words",
        "radius chosen, mean",
        "is best for the linear model",
        "dependency graph",
        f"The model is in {model}",
    ):
        assert words in result.out.replace("\n", " ")
    assert "local neural" not in result.out


def test_json_has_the_same_numbers(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    result = cli(
        *("fit", fitted / "plant.csv", "-o", tmp_path / "model", "--json"),
        *("--time", "when", "--denoiser", "linear"),
    )
    summary = json.loads(result.out)
    assert summary["set_aside"] == {"site": "constant at 7", "level in mm": "copy of level"}
    assert summary["linear"] == summary["model"] < summary["independent"]
    total = sum(component["model"] for component in summary["components"])
    assert summary["model"] == pytest.approx(total)
    assert len(summary["components"]) == summary["n_components"] == 7
    assert [len(part["band_radii"]) for part in summary["components"]] == [6] * 7
    assert len(summary["bands"]) == 6

    info = json.loads(cli("info", tmp_path / "model", "--json", "--components").out)
    assert info == {key: value for key, value in summary.items() if key != "table"}


def test_info_names_versions_and_columns(cli: Cli, fitted: Path) -> None:
    short = cli("info", fitted / "plant.locality")
    long = cli("info", fitted / "plant.locality", "--components")
    assert short.code == long.code == 0
    assert "Made with locality" in short.out
    assert "temperature" in long.out
    assert len(long.out.splitlines()) >= len(short.out.splitlines()) + 7
    assert "components" not in json.loads(cli("info", fitted / "plant.locality", "--json").out)


def test_networks_are_reported(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    result = cli(
        *("fit", fitted / "plant.csv", "-o", tmp_path / "model", "--columns", "feed,pressure"),
        *("--graph", "chain", "--radius", "1", "--steps", "40", "--workers", "1"),
    )
    assert result.code == 0
    assert "local neural: networks in" in result.out
    assert "Radius 1, as asked for." in result.out


def test_columns_are_chosen_by_name(cli: Cli, plant: pd.DataFrame, tmp_path: Path) -> None:
    plant.rename(columns={"flow": "flow, raw"}).to_csv(tmp_path / "plant.csv", index=False)
    result = cli(
        *(
            "fit",
            tmp_path / "plant.csv",
            "-o",
            tmp_path / "model",
            "--denoiser",
            "linear",
            "--json",
        ),
        *("--columns", "feed, pressure", "--columns", "flow, raw", "--context", "valve"),
        *("--graph", "complete"),
    )
    summary = json.loads(result.out)
    names = [component["name"] for component in summary["components"]]
    assert names == ["feed", "pressure", "flow, raw"]
    assert summary["context"] == ["valve"]
    assert {component["n_given"] for component in summary["components"]} == {1}


def test_a_graph_from_a_file(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    edges = pd.DataFrame(nx.path_graph(4).edges, columns=["from", "to"])
    names = dict(enumerate(["feed", "pressure", "level", "temperature"]))
    edges.replace(names).to_csv(tmp_path / "edges.csv", index=False)
    result = cli(
        *("fit", fitted / "plant.csv", "-o", tmp_path / "model", "--denoiser", "linear", "--json"),
        *("--drop", "when", "--graph", tmp_path / "edges.csv"),
    )
    assert json.loads(result.out)["n_edges"] == 3


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (("--lags", "1"), "causal series"),
        (("--lags", "1", "--series", "joint"), "joint series"),
        (("--graph", "ring", "--tied"), "lattice"),
    ],
)
def test_every_layout(
    cli: Cli, fitted: Path, tmp_path: Path, options: tuple[str, ...], kind: str
) -> None:
    model = tmp_path / "model"
    chosen = ("--columns", "feed,pressure,level,temperature,flow,valve", "--denoiser", "linear")
    assert cli("fit", fitted / "plant.csv", "-o", model, *chosen, *options).code == 0
    summary = json.loads(cli("info", model, "--json").out)
    assert summary["kind"] == kind
    assert summary["n_components"] == 6
    assert cli("sample", model, "-n", "20", "-o", tmp_path / "drawn.csv").code == 0
    assert cli("score", model, fitted / "new.csv", "-o", tmp_path / "nats.csv").code == 0


def test_overwrite_replaces_a_model_only(cli: Cli, fitted: Path, tmp_path: Path) -> None:
    arguments = (
        "fit",
        fitted / "plant.csv",
        "--denoiser",
        "linear",
        "--overwrite",
        "--drop",
        "when",
    )
    assert cli(*arguments, "-o", tmp_path / "model").code == 0
    assert cli(*arguments, "-o", tmp_path / "model", "--seed", "1").code == 0
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("keep me")
    result = cli(*arguments, "-o", tmp_path / "letters")
    assert result.code == 2
    assert "not just a locality model" in result.message
    assert (tmp_path / "letters" / "dear.txt").read_text() == "keep me"
