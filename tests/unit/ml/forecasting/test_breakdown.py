import numpy as np
import pytest

from ml.forecasting.breakdown import QuantileCounts, SliceErrors, age_class, size_class


def rows_of(table):
    return {(row["method"], row["by"], row["slice"]): row for row in table.iter_rows(named=True)}


def test_errors_are_told_by_whose_they_are_and_cancel_out_in_sums():
    errors = SliceErrors(["eu", "us"])
    actual = np.array([[10.0, 0.0], [4.0, 6.0]])
    wrong = np.array([[8.0, 2.0], [4.0, 9.0]])
    ages = age_class(np.array([np.nan, 0.0]))
    for _ in range(2):
        errors.add(actual, {"us": actual, "them": wrong}, ages, size_class(np.array([[12.0, 0.0], [1.0, 0.5]])))
    rows = rows_of(errors.table())
    assert all(row["wape_total"] == 0 for key, row in rows.items() if key[0] == "us")
    them = {key[1:]: (row["wape_total"], row["sessions"]) for key, row in rows.items() if key[0] == "them"}
    assert them["region", "eu"] == (pytest.approx(0.4), 20)
    assert them["region", "us"] == (pytest.approx(0.3), 20)
    assert them["age", "older"] == (pytest.approx(2 / 14), 28)
    assert them["age", "comes out"] == (pytest.approx(5 / 6), 12)
    assert them["sessions a day", "10 and more"] == (pytest.approx(0.2), 20)
    assert ("sessions a day", "none lately") not in them, "nobody watched it"
    assert them["sums of", "a region"] == (pytest.approx(3 / 20), 40)
    assert them["sums of", "all regions"] == (pytest.approx(3 / 20), 40)
    assert rows["them", "region", "us"]["bias"] == pytest.approx(0.3)


def test_classes_begin_where_they_say():
    assert age_class(np.array([-3.0, 0.0, 1.0, 6.0, 7.0, 27.0, 28.0, np.nan])).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert size_class(np.array([0.0, 0.1, 1.0, 9.9, 10.0])).tolist() == [0, 1, 2, 2, 3]


def test_a_quantile_that_keeps_its_promise_has_its_level_between_both_shares():
    counts = QuantileCounts(2)
    actual = np.random.default_rng(1).poisson(6.0, 4000).astype(float)
    counts.add(2, actual, np.tile([3.0, 6.0, 9.0], (len(actual), 1)))
    table = counts.table()
    assert table["horizon"].to_list() == [0, 0, 0, 2, 2, 2]
    for row in table.iter_rows(named=True):
        assert row["below"] < row["quantile"] < row["at_or_below"]
        assert row["rows"] == 4000
    assert counts.coverage(2) == pytest.approx(((actual >= 3) & (actual <= 9)).mean())
    assert np.isnan(counts.coverage(1))
