import pytest

from playback_api.edge.errors import PlanInvalidError
from playback_api.edge.placement import PlacementBook, group_id_of, unique_objects
from playback_api.edge.schema import FillGroup, FillObject


def group(title_id, segment_group, *keys, package_id="pk1", value=1.0, sizes=10):
    return FillGroup(
        title_id=title_id,
        package_id=package_id,
        rung="240p",
        segment_group=segment_group,
        value=value,
        objects=[FillObject(key=key, size_bytes=sizes, sha256="0" * 64) for key in keys],
    )


def book_with(*groups):
    book = PlacementBook()
    book.adopt_plan(groups)
    for wanted in groups:
        for item in wanted.objects:
            book.mark_present(item.key)
    return book


def test_group_is_complete_with_its_last_object():
    book = PlacementBook()
    book.adopt_plan([group("a", 0, "a/1", "a/2")])
    assert book.mark_present("a/1") == 0
    assert book.complete() == {}
    assert book.mark_present("a/2") == 1
    assert book.mark_present("a/2") == 0
    assert (book.complete(), book.placed_bytes) == ({"a": {"240p": [0]}}, 20)
    book.mark_absent("a/1")
    assert (book.complete(), book.placed_bytes) == ({}, 10)


def test_shared_object_stays_until_its_last_group_goes():
    old, new = group("a", 0, "a/old", "a/shared"), group("a", 0, "a/new", "a/shared", package_id="pk2")
    book = book_with(old)
    assert book.adopt_plan([new]) == {}
    assert book.drop(group_id_of(old)) == {"a/old": 10}
    assert book.is_present("a/shared")
    assert book.drop(group_id_of(new)) == {"a/shared": 10}
    assert book.placed_bytes == 0


def test_plan_order_is_kept_over_plans():
    first, second, third = group("a", 0, "a/1"), group("b", 0, "b/1"), group("c", 0, "c/1", "a/1")
    book = book_with(first, second)
    book.adopt_plan([third, second, first])
    assert list(book.planned_objects()) == ["c/1", "a/1", "b/1"]
    assert book.plan_progress() == (3, 2)


def test_leftovers_go_broken_ones_first_then_by_value():
    groups = [group("a", 0, "a/1", value=5), group("b", 0, "b/1", value=1), group("c", 0, "c/1", value=9)]
    book = book_with(*groups)
    book.mark_absent("c/1")
    book.adopt_plan([])
    assert [group_id.title_id for group_id in book.unplanned()] == ["c", "b", "a"]


def test_group_that_changed_its_objects_is_replaced():
    book = book_with(group("a", 0, "a/1", "a/2"))
    assert book.adopt_plan([group("a", 0, "a/2", "a/3")]) == {"a/1": 10}
    assert book.complete() == {}
    assert book.mark_present("a/3") == 1


def test_object_that_the_new_plan_describes_otherwise_is_let_go():
    book = book_with(group("a", 0, "a/1"), group("b", 0, "a/1", "b/1"))
    orphans = book.adopt_plan([group("a", 0, "a/1", sizes=11)])
    assert orphans == {"a/1": 10, "b/1": 10}
    assert (book.placed_bytes, book.complete()) == (0, {})


def test_journal_gives_back_the_same_book():
    book = book_with(group("a", 0, "a/1"), group("b", 0, "b/1"))
    book.adopt_plan([group("b", 0, "b/1", value=3)])
    restored = PlacementBook()
    for wanted, planned in book.to_journal():
        restored.restore(wanted, planned=planned)
    assert restored.to_journal() == book.to_journal()
    assert restored.planned_groups() == [group_id_of(group("b", 0, "b/1"))]


def test_contradictions_within_a_plan_are_refused():
    with pytest.raises(PlanInvalidError, match="twice"):
        unique_objects([group("a", 0, "a/1"), group("a", 0, "a/2")])
    with pytest.raises(PlanInvalidError, match="two sizes"):
        unique_objects([group("a", 0, "a/1"), group("a", 1, "a/1", sizes=11)])
    with pytest.raises(PlanInvalidError, match="no key"):
        unique_objects([group("a", 0, "a/../b")])


def test_complete_groups_name_their_package_unless_it_is_not_one():
    book = book_with(group("a", 0, "a/1"), group("b", 0, "b/1"))
    assert book.packages() == {"a": "pk1", "b": "pk1"}
    book.adopt_plan([group("a", 0, "a/1", package_id="pk2")])
    assert book.packages() == {"a": "pk2", "b": "pk1"}, "the object is shared, so the new package is there at once"
    book.adopt_plan([])
    assert book.packages() == {"b": "pk1"}
