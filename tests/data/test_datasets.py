"""The packaged plant data: what the documentation says of them is true."""

import numpy as np
import pandas as pd
import pytest

from locality.data.datasets import TENNESSEE_EASTMAN_RUNS, load_tennessee_eastman
from locality.data.table import Table
from locality.data.transforms_fit import fit_standardizer
from locality.exceptions import OptionError


@pytest.mark.parametrize("run", TENNESSEE_EASTMAN_RUNS)
def test_every_run_is_complete_and_labeled(run: str) -> None:
    plant = load_tennessee_eastman(run)
    n_rows = 500 if run == "normal_train" else 960
    assert plant.frame.shape == (n_rows, 52)
    assert list(plant.frame.columns) == list(plant.variables.index)
    assert plant.frame.index.name == "hours"
    np.testing.assert_allclose(plant.frame.index, 0.05 * np.arange(1, n_rows + 1))
    active = plant.fault_active.to_numpy()
    if run.startswith("fault"):
        assert plant.fault == int(run[5:7])
        assert plant.fault in plant.faults.index
        np.testing.assert_array_equal(active, np.arange(n_rows) >= 160)
    else:
        assert plant.fault == 0
        assert not active.any()
    table = Table.from_frame(plant.frame, time="hours")
    table.require_complete()
    assert table.n_columns == 52
    assert table.time is not None


def test_no_variable_is_constant_or_a_copy_although_some_nearly_are() -> None:
    frame = load_tennessee_eastman().frame
    assert fit_standardizer(Table.from_frame(frame)).set_aside == ()
    close = np.corrcoef(frame["xmeas_12"], frame["xmv_07"])[0, 1]
    assert abs(close) > 0.9995


def test_faults_move_the_plant_after_their_onset_only() -> None:
    normal = load_tennessee_eastman("normal_train").frame
    faulty = load_tennessee_eastman("fault04_test")
    z = (faulty.frame["xmv_10"] - normal["xmv_10"].mean()) / normal["xmv_10"].std()
    assert abs(z[~faulty.fault_active].mean()) < 1
    assert abs(z[faulty.fault_active].mean()) > 3


def test_variables_carry_meaning_and_unit() -> None:
    plant = load_tennessee_eastman()
    assert plant.variables.loc["xmeas_09", "description"].lower().startswith("reactor temp")
    assert plant.variables["unit"].notna().all()
    assert isinstance(plant.faults, pd.DataFrame)


def test_the_license_travels_with_the_data() -> None:
    notice = load_tennessee_eastman().notice
    assert "Copyright (c) 1998-2002 The Board of Trustees of the University of Illinois" in notice
    assert "Permission hereby granted" in notice
    assert "WITHOUT WARRANTY OF ANY KIND" in notice
    assert "Downs" in notice


def test_an_unknown_run_is_answered_with_the_closest() -> None:
    with pytest.raises(OptionError, match=r"'normal_trian'.*Did you mean 'normal_train'"):
        load_tennessee_eastman("normal_trian")
