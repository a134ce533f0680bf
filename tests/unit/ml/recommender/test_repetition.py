import numpy as np

from ml.recommender.repetition import order_by_rest

LIST = np.array([7, 3, 9, 1, 5, 8, 2, 4, 6, 0], np.uint16)


def reordered(unanswered, days):
    order = order_by_rest(LIST, np.array(unanswered, np.uint16), np.array(days, np.uint8))
    return LIST[order].tolist()


def test_nothing_moves_for_who_was_shown_nothing():
    assert reordered([], []) == LIST.tolist()


def test_two_days_mean_nothing_and_each_day_more_costs_five_places():
    assert reordered([3, 7], [2, 2]) == LIST.tolist()
    assert reordered([7], [3]) == [3, 9, 1, 5, 7, 8, 2, 4, 6, 0]
    assert reordered([7], [4]) == [3, 9, 1, 5, 8, 2, 4, 6, 0, 7]


def test_titles_that_lost_as_many_places_keep_their_order():
    assert reordered([3, 7], [200, 200])[-2:] == [7, 3]


def test_titles_that_are_not_on_the_list_move_nothing():
    assert reordered([11, 12], [9, 9]) == LIST.tolist()
