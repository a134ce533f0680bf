"""The door to the model: opens ``ml.recommender.online`` only when a snapshot carries a model.

The code that is scored offline is the code that serves; a process without a model never pays for numpy.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from playback_api.domain.served import RecommendedTitles, RecommenderUnavailable, Watched

if TYPE_CHECKING:
    from ml.recommender.online import OnlineRecommender


class ModelRecommender:
    """Adapts the published model to what pages ask."""

    def __init__(self, model: OnlineRecommender) -> None:
        self._model = model

    @property
    def model_version(self) -> str:
        """The registered version that made the lists."""
        return self._model.model_version

    def recommend(self, *, viewer_id: str, recent: Sequence[Watched], region_id: str) -> RecommendedTitles:
        """The model's answer, as long as a stored list."""
        from ml.recommender.online import LIST_LENGTH, RecentWatch

        watches = [
            RecentWatch(title_id=item.title_id, completion=item.completion, watched_at=item.watched_at)
            for item in recent
        ]
        return self._model.recommend(
            viewer_id=viewer_id, recent=watches, exclude=(), region_id=region_id, k=LIST_LENGTH
        )

    def affinity(self, viewer_id: str, title_ids: Collection[str]) -> dict[str, float]:
        """The affinity model's predictions, 1 to 5."""
        return self._model.affinity(viewer_id, title_ids)


def open_recommender(folder: Path) -> ModelRecommender:
    """Open the model of a snapshot.

    Raises:
        RecommenderUnavailable: The folder cannot be read by this version of the code.
    """
    from ml.recommender.errors import RecommenderError
    from ml.recommender.online import OnlineRecommender

    try:
        return ModelRecommender(OnlineRecommender.load(folder))
    except (RecommenderError, OSError) as error:
        raise RecommenderUnavailable(f"the model in {folder} cannot be opened: {error}") from error
