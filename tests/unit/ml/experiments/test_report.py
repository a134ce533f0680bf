import polars as pl

from ml.experiments import comparison_table, differences_plot

ARMS = pl.DataFrame(
    [
        {"experiment_id": "e", "arm": "new", "metric": "plays", "is_control": False, "viewers": 90,
         "viewers_assigned": 120, "mean": 2.5, "adjusted_mean": 2.4, "difference": 0.4, "difference_low": 0.1,
         "difference_high": 0.7, "verdict": "more"},
        {"experiment_id": "e", "arm": "old", "metric": "plays", "is_control": True, "viewers": 100,
         "viewers_assigned": 118, "mean": 2.0, "adjusted_mean": 2.0, "difference": None, "difference_low": None,
         "difference_high": None, "verdict": "control"},
    ]
)  # fmt: skip


def test_the_table_has_the_control_first_and_the_interval_of_the_others():
    lines = comparison_table(ARMS).splitlines()
    assert lines[2] == "| e | old | plays | 100 | 118 | 2 | - | - to - | control |"
    assert lines[3] == "| e | new | plays | 90 | 120 | 2.5 | 0.4 | 0.1 to 0.7 | more |"


def test_there_is_a_plot_with_and_without_differences():
    assert differences_plot(ARMS).startswith(b"\x89PNG")
    assert differences_plot(ARMS.clear()).startswith(b"\x89PNG")
