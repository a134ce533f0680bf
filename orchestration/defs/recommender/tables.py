"""The tables of the warehouse that the recommender reads."""

from __future__ import annotations

VIEWING_TABLE = "serving.srv_viewing"
TITLES_TABLE = "serving.srv_titles"
VIEWERS_TABLE = "serving.srv_viewers"
MAIN_ROWS_TABLE = "serving.srv_main_rows"
UNANSWERED_TABLE = "serving.srv_unanswered"
