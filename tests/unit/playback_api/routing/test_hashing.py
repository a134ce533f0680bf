from collections import Counter

from playback_api.routing import rendezvous_order, unit_hash


def test_the_same_key_has_the_same_owner_whatever_the_order_of_the_nodes():
    assert rendezvous_order("t", {"a": 1, "b": 1, "c": 1}) == rendezvous_order("t", {"c": 1, "a": 1, "b": 1})


def test_keys_are_shared_in_proportion_to_weight():
    owners = Counter(rendezvous_order(f"title-{n}", {"small": 1.0, "large": 3.0})[0] for n in range(4000))
    assert 0.72 < owners["large"] / 4000 < 0.78


def test_the_hash_separates_its_parts():
    assert unit_hash("ab", "c") != unit_hash("a", "bc")
    assert 0.0 < unit_hash("x") < 1.0
