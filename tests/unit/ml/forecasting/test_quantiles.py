import numpy as np
import pytest

from ml.forecasting.quantiles import QUANTILES, learn_bands, poisson_chance, poisson_quantiles


def draw(count, seed=0):
    rng = np.random.default_rng(seed)
    expected = np.exp(rng.uniform(np.log(0.3), np.log(40), count))
    return rng.poisson(expected).astype(float), expected, poisson_chance(expected)


def test_bands_cover_what_they_promise():
    actual, expected, chance = draw(40_000)
    bands = learn_bands(actual[:20_000], expected[:20_000], chance[:20_000], np.ones(20_000))
    quantiles = bands.quantiles(expected[20_000:], chance[20_000:])
    inside = (actual[20_000:] >= quantiles[:, 0]) & (actual[20_000:] <= quantiles[:, 2])
    assert 0.75 < inside.mean() < 0.93
    large = expected[20_000:] > 10
    for column, level in enumerate(QUANTILES):
        assert (actual[20_000:] <= quantiles[:, column])[large].mean() == pytest.approx(level, abs=0.05)


def test_below_the_chance_of_nobody_a_quantile_is_nothing():
    actual, expected, chance = draw(20_000)
    bands = learn_bands(actual, expected, chance, np.ones(len(actual)))
    quantiles = bands.quantiles(np.array([4.0, 4.0, 4.0]), np.array([0.05, 0.49, 0.6]))
    assert quantiles[:, 0].tolist() == [0.0, 0.0, 0.0]
    assert quantiles[:2, 1].tolist() == [0.0, 0.0]
    assert quantiles[2, 1] > 0
    assert quantiles[0, 2] == 0.0
    assert quantiles[1, 2] > 0


def test_weights_count():
    expected, chance = np.full(1000, 10.0), np.ones(1000)
    actual = np.where(np.arange(1000) < 500, 5.0, 20.0)
    heavy_low = learn_bands(actual, expected, chance, np.where(actual == 5.0, 50.0, 1.0))
    assert heavy_low.quantiles(expected[:1], chance[:1])[0] == pytest.approx([5.0, 5.0, 5.0])


def test_too_few_watched_days_teach_nothing():
    actual, expected, chance = draw(50)
    assert learn_bands(actual, expected, chance, np.ones(50)) is None


def test_poisson_quantiles_are_ordered_and_never_negative():
    quantiles = poisson_quantiles(np.array([0.0, 0.01, 1.0, 50.0]))
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (quantiles >= 0).all()
    assert quantiles[0].tolist() == [0.0, 0.0, 0.0]
