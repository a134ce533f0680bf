"""The adapter speaks the scoreboard's language: a context in, a level and a wait out, samples passed on once."""

from dataclasses import dataclass, field

import numpy as np
import pytest

LADDER_KBPS = [300.0, 750.0, 1200.0]


@dataclass
class Sample:
    level: int
    bytes: float
    seconds: float
    end_s: float = 0.0
    abandoned: bool = False


@dataclass
class Context:
    index: int = 3
    total: int = 10
    chunk_s: float = 4.0
    kbps: list = field(default_factory=lambda: LADDER_KBPS)
    sizes: np.ndarray = field(default_factory=lambda: np.tile(np.array(LADDER_KBPS) * 500.0, (10, 1)))
    buffer_s: float = 12.0
    cap_s: float = 60.0
    last_level: int = 1
    now_s: float = 0.0
    history: list = field(default_factory=list)
    quality: np.ndarray = field(default_factory=lambda: np.array(LADDER_KBPS) / 1000.0)
    mu: float = 4.3
    lam: float = 1.0


@pytest.mark.parametrize("name", ["Policy", "RobustMpc", "Bola", "Throughput"])
def test_every_policy_answers_with_a_level_of_the_ladder_and_a_wait(adapter, name):
    policy = getattr(adapter, name)()
    assert policy(Context(index=0, last_level=-1, buffer_s=0.0)) == (0, 0.0)
    level, wait_s = policy(Context(history=[Sample(1, 2e6, 1.0)]))
    assert level in range(3)
    assert wait_s >= 0.0


def test_speed_of_the_line_decides(adapter):
    assert adapter.Policy()(Context(history=[Sample(1, 5e6, 1.0)] * 3))[0] == 2
    assert adapter.Policy()(Context(history=[Sample(1, 1e4, 1.0)] * 3, buffer_s=2.0))[0] == 0


def test_each_sample_is_passed_on_once(adapter):
    seen = []
    policy = adapter.Policy()
    policy._abr.observe = seen.append
    history = [Sample(1, 2e6, 1.0)]
    policy(Context(history=history))
    history.append(Sample(2, 1e5, 0.5, abandoned=True))
    policy.abandon(Context(history=history), 2, 1e5, 0.75)
    policy(Context(history=history))
    assert [(sample.size_bytes, sample.abandoned) for sample in seen] == [(2e6, False), (1e5, True)]


def test_a_hopeless_download_is_dropped(adapter):
    context = Context(buffer_s=0.5, history=[Sample(1, 2e6, 1.0)])
    assert adapter.Policy().abandon(context, 2, 3e4, 3.0) == 0
    assert adapter.Policy().abandon(context, 2, 5.9e5, 3.0) is None
