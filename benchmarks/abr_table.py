"""The default policy beside RobustMPC and the offline optimum: films, both forms, round trips.

    python benchmarks/abr_table.py --traces FOLDER --movies FILE ... [--rtt-ms 20 80 200] [--limit TRACES]

Runs ``harness/abr_sim.py`` once for each combination and prints a Markdown table: the mean QoE a segment, its share of
the optimum, the rebuffered share of the time, the difference to RobustMPC with its paired bootstrap interval, and the
trace groups in which RobustMPC is better. The optimum is computed at 80 ms only. What the references scored is kept in
the output folder and not computed again; the policy always is. ``--limit`` takes an even sample of the traces;
the table says how many there were.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "harness"))
import abr_sim

POLICY = f"{Path(__file__).with_name('abr_policy.py')}:Policy"
OPTIMUM_AT_MS = 80
RESAMPLES = 10_000
COLUMNS = (
    "film", "form", "RTT ms", "traces", "QoE", "of optimum", "rebuffer %", "of optimum's",
    "RobustMPC", "difference [95 %]", "groups below", "ms",
)  # fmt: skip

Sessions = Mapping[str, Mapping[str, Any]]
"""What the harness says of each session, by trace."""


def sessions_of(spec: str, combination: Sequence[str], path: Path, *, keep: bool) -> Sessions:
    """Run one policy over all traces, or take what an earlier run left."""
    if not (keep and path.exists()):
        abr_sim.main([*combination, "--policy", spec, "--json", str(path)])
    return {trace: result[spec] for trace, result in json.loads(path.read_text(encoding="utf-8")).items()}


def interval(differences: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of a mean."""
    rng = random.Random(seed)
    means = sorted(fmean(rng.choices(differences, k=len(differences))) for _ in range(RESAMPLES))
    return means[round(0.025 * RESAMPLES)], means[round(0.975 * RESAMPLES) - 1]


def mean_qoe(sessions: Sessions) -> float:
    """Mean QoE a segment over all traces."""
    return fmean(session["qoe"] for session in sessions.values())


def rebuffer_percent(sessions: Sessions) -> float:
    """Stalled time of all sessions, in percent of stalled and played time."""
    stalled_s = sum(session["stall_s"] for session in sessions.values())
    return 100.0 * stalled_s / (stalled_s + sum(session["play_s"] for session in sessions.values()))


def worse_groups(ours: Sessions, reference: Sessions) -> list[str]:
    """Trace groups in which the reference has the better mean, with the difference."""
    by_group: dict[str, list[float]] = defaultdict(list)
    for trace, session in ours.items():
        by_group[abr_sim.group_of(trace)].append(session["qoe"] - reference[trace]["qoe"])
    return [f"{group} {fmean(values):+.3f}" for group, values in sorted(by_group.items()) if fmean(values) < 0.0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--movies", type=Path, nargs="+", required=True, help="films")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/abr"))
    parser.add_argument("--rtt-ms", type=int, nargs="+", default=[20, 80, 200])
    parser.add_argument("--limit", type=int, default=None, help="every k-th trace, so that at most so many run")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for movie in options.movies:
        for form, flags in (("start-up counted", []), ("compat", ["--compat"])):
            for rtt_ms in options.rtt_ms:
                rows.append(_row(options, movie, form, flags, rtt_ms))
    print("\n| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    print("\n".join(rows))


def _row(options: argparse.Namespace, movie: Path, form: str, flags: list[str], rtt_ms: int) -> str:
    combination = ["--traces", str(options.traces), "--movie", str(movie), *flags]
    combination += ["--rtt-ms", str(rtt_ms), "--jobs", str(options.jobs)]
    name = f"{movie.stem}-{form.replace(' ', '-')}-{rtt_ms}-{options.limit or 'all'}"
    if options.limit is not None:
        combination += ["--limit", str(options.limit)]
    ours = sessions_of(POLICY, combination, options.out / f"{name}-policy.json", keep=False)
    robust = sessions_of("robustmpc", combination, options.out / f"{name}-robustmpc.json", keep=True)
    differences = [session["qoe"] - robust[trace]["qoe"] for trace, session in ours.items()]
    low, high = interval(differences)
    share = optimum_rebuffer = ""
    if rtt_ms == OPTIMUM_AT_MS:
        optimum = sessions_of("optimal", combination, options.out / f"{name}-optimal.json", keep=True)
        share = f"{100.0 * mean_qoe(ours) / mean_qoe(optimum):.1f} %"
        optimum_rebuffer = f"{rebuffer_percent(optimum):.2f}"
    think_ms = 1000.0 * fmean(session["think"] / len(session["levels"]) for session in ours.values())
    cells = [movie.stem, form, rtt_ms, len(ours), f"{mean_qoe(ours):.3f}", share, f"{rebuffer_percent(ours):.2f}"]
    cells += [optimum_rebuffer, f"{mean_qoe(robust):.3f}", f"{fmean(differences):+.3f} [{low:+.3f}, {high:+.3f}]"]
    cells += [", ".join(worse_groups(ours, robust)) or "none", f"{think_ms:.2f}"]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


if __name__ == "__main__":
    main()
