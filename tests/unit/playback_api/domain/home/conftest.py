"""Models as training publishes them, for pages that are made by the real thing."""

import pytest

from ml.recommender.testing import publish_two_camps


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
    """Twenty titles: every list holds all that a viewer has not seen."""
    return publish_two_camps(tmp_path_factory.mktemp("small") / "model", titles=20)


@pytest.fixture(scope="session")
def large_model(tmp_path_factory):
    """More titles than a list holds."""
    return publish_two_camps(tmp_path_factory.mktemp("large") / "model", titles=200)
