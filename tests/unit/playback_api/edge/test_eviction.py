import random

from playback_api.edge.eviction import S3Fifo


def play(cache, keys, capacity):
    """Ask a cache of unit-size objects for keys; returns how many were hits."""
    hits = 0
    for key in keys:
        if key in cache:
            cache.hit(key)
            hits += 1
            continue
        while cache.used_bytes + 1 > capacity:
            cache.evict()
        cache.admit(key, 1)
    return hits


def test_one_hit_wonders_leave_and_what_was_asked_for_again_stays():
    cache = S3Fifo()
    play(cache, ["a", "a", "a"], 10)
    play(cache, [f"once-{n}" for n in range(200)], 10)
    assert "a" in cache
    assert len(cache) == 10


def test_comeback_of_a_ghost_goes_to_main():
    cache = S3Fifo()
    play(cache, [f"k{n}" for n in range(11)], 10)
    assert "k0" not in cache
    play(cache, ["k0"], 10)
    play(cache, [f"once-{n}" for n in range(50)], 10)
    assert "k0" in cache


def test_scan_does_not_flush_the_popular():
    rng = random.Random(7)
    popular = [f"p{int(rng.paretovariate(1.0)) % 300}" for _ in range(20_000)]
    scanned = [key for n, ask in enumerate(popular) for key in (ask, f"scan-{n}")]
    assert play(S3Fifo(), scanned, 60) > 0.85 * play(S3Fifo(), popular, 60)


def test_restored_objects_count_as_proven():
    cache = S3Fifo()
    cache.admit("kept", 1, proven=True)
    play(cache, [f"once-{n}" for n in range(30)], 10)
    assert "kept" in cache


def test_empty_cache_has_nothing_to_give():
    assert S3Fifo().evict() is None
