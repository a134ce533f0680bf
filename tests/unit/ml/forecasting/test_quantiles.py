import numpy as np

from ml.forecasting.quantiles import POISSON_LIKE, learn_bands


def test_bands_cover_what_they_promise():
    rng = np.random.default_rng(0)
    expected = rng.uniform(0.5, 40, 40_000)
    actual = rng.poisson(expected).astype(float)
    quantiles = learn_bands(actual[:20_000], expected[:20_000], np.ones(20_000)).quantiles(expected[20_000:])
    inside = (actual[20_000:] >= quantiles[:, 0]) & (actual[20_000:] <= quantiles[:, 2])
    assert 0.75 < inside.mean() < 0.9


def test_weights_count():
    expected = np.full(1000, 10.0)
    actual = np.where(np.arange(1000) < 500, 0.0, 20.0)
    heavy_zero = learn_bands(actual, expected, np.where(actual == 0, 50.0, 1.0)).quantiles(np.array([10.0]))
    assert heavy_zero[0, 1] == 0.0
    assert heavy_zero[0, 2] == 0.0


def test_quantiles_are_ordered_and_never_negative():
    quantiles = POISSON_LIKE.quantiles(np.array([0.0, 0.01, 1.0, 50.0]))
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (quantiles >= 0).all()
