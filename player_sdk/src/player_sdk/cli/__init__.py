"""``matinee-player``: play, look into, load and keep any HLS or DASH URL from a shell.

JSON lines on stdout; the live display and problems on stderr, and the JSON too where stdout is the stream itself.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO, TypeVar
from urllib.parse import urljoin

import msgspec

from player_sdk.cli.bench import POLICIES, bench, read_trace
from player_sdk.cli.crowd import watch_together
from player_sdk.cli.pipe import feed, receiving
from player_sdk.cli.status_line import StatusLine
from player_sdk.client import Player
from player_sdk.clock import SystemClock
from player_sdk.errors import PlayerError
from player_sdk.events import Event
from player_sdk.loader import RetrySettings
from player_sdk.playback_settings import PlaybackSettings
from player_sdk.playlist import Segment, Track
from player_sdk.playlist.model import UNDECLARED_BITRATE_BPS
from player_sdk.stream_muxer import STREAM_CODECS
from player_sdk.transports import Link, http1_transport, http_transport

Number = TypeVar("Number", int, float)

_PIPE_SLICE_S = 0.25
"""How soon a session notices that who watches holds the picture or has gone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when it worked, 1 when the title could not be played or read."""
    options = parser().parse_args(arguments)
    try:
        return asyncio.run(_COMMANDS[options.command](options))
    except PlayerError as error:
        sys.stderr.write(f"matinee-player: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="matinee-player",
        description="Play HLS and DASH without a screen. Reports are lines of JSON on stdout; problems go to stderr. "
        "Ends with 0 when it worked, 1 when something could not be played, read or kept, 2 when asked wrongly.",
        epilog="Options of a command: matinee-player play --help",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {metadata.version('player-sdk')}")
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, help_text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help_text, description=help_text)
        added.add_argument("url", help="a manifest: .m3u8 or .mpd, anyone's")
        return added

    play = command("play", "play a URL and report start-up, stalls and bit rate")
    play.add_argument("--start-s", type=_seconds, default=0.0, help="media position to start at")
    play.add_argument("--events", action="store_true", help="one line for each event, before the report")
    play.add_argument(
        "--live",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show buffer, rung, throughput and stalls on stderr while it plays; by default where that is a terminal",
    )
    play.add_argument(
        "--pipe",
        metavar="PLAYER",
        default=None,
        help="let another player show it, as an MPEG transport stream on its standard input: mpv, ffplay, a command "
        "line in quotes, or - for standard output (which moves the JSON to stderr); needs the extra frames",
    )
    play.add_argument(
        "--codecs",
        nargs="+",
        default=None,
        help="beginnings of the codec names to choose from; with --pipe by default H.264 with AAC, AC-3 or E-AC-3",
    )
    command("probe", "say what a manifest offers, by its playlists too")
    watch = command("watch", "let many viewers play a URL at once, and report what they got")
    watch.add_argument("--viewers", type=_count, required=True, help="how many")
    watch.add_argument("--ramp-s", type=_seconds, default=0.0, help="seconds over which they come")
    watch.add_argument(
        "--http1", action="store_true", help="HTTP/1.1 alone, for less than half of the CPU time; needs the extra crowd"
    )
    bench = command("bench", "play a URL over emulated lines in virtual time, once for each policy")
    bench.add_argument("--rate-bps", type=_rate, nargs="*", default=[], help="lines of one rate")
    bench.add_argument("--trace", type=Path, nargs="*", default=[], help="CSV files: duration_s,bandwidth_kbps")
    bench.add_argument("--latency-s", type=_seconds, default=0.05, help="what a request costs before its first byte")
    bench.add_argument("--policy", nargs="+", choices=list(POLICIES), default=list(POLICIES), help="by default all")
    download = command("download", "keep a title in a folder")
    download.add_argument("folder", type=Path, help="of this title alone; called again, it completes what broke off")
    for playing in (play, watch, bench):
        playing.add_argument("--watch-s", type=_seconds, default=None, help="stop after so many seconds of media")
    for choosing in (play, download):
        choosing.add_argument("--max-height", type=_count, default=None, help="tallest video to play")
        choosing.add_argument("--audio", default=None, help="language of the sound")
        choosing.add_argument("--captions", default=None, help="language of the captions")
    return top


async def _play(options: argparse.Namespace) -> int:
    settings = PlaybackSettings(language=options.audio, captions=options.captions)
    if options.pipe is not None:
        settings = replace(settings, codecs=STREAM_CODECS, slice_s=_PIPE_SLICE_S)
    if options.codecs is not None:
        settings = replace(settings, codecs=tuple(options.codecs))
    output = sys.stderr if options.pipe == "-" else sys.stdout
    async with Player(settings=settings) as player:
        session = player.open_url(options.url, max_height=options.max_height, start_s=options.start_s)
        line = StatusLine(session, full_buffer_s=settings.buffer_max_s)

        def take(event: Event) -> None:
            line.take(event)
            if options.events:
                name = type(event).__name__
                _write({"event": name, "position_s": session.position_s, **msgspec.to_builtins(event)}, output)

        live = sys.stderr.isatty() if options.live is None else options.live
        showing = asyncio.create_task(line.keep_showing(sys.stderr.write)) if live else None
        try:
            if options.pipe is None:
                async for event in session.events(options.watch_s):
                    take(event)
            else:
                async with receiving(options.pipe) as receiver:
                    await feed(session, receiver, watch_s=options.watch_s, listener=take)
        finally:
            if showing is not None:
                showing.cancel()
                sys.stderr.write(f"\r{line.text()}\x1b[K\n")
        report = session.report
    if report is None:
        return 1
    _write(msgspec.to_builtins(report), output)
    return _told(report.errors[-1] if report.end_reason == "failed" else None)


async def _watch(options: argparse.Namespace) -> int:
    summary = await watch_together(
        options.url,
        viewers=options.viewers,
        ramp_s=options.ramp_s,
        watch_s=options.watch_s,
        settings=PlaybackSettings(),
        clock=SystemClock(),
        open_transport=http1_transport if options.http1 else http_transport,
    )
    _write(msgspec.to_builtins(summary))
    return _told(summary.failure)


async def _bench(options: argparse.Namespace) -> int:
    lines = {f"{rate_bps:g}": Link.constant(rate_bps, latency_s=options.latency_s) for rate_bps in options.rate_bps}
    lines |= {path.name: read_trace(path, latency_s=options.latency_s) for path in options.trace}
    if not lines:
        raise PlayerError("give lines to play over, by --rate-bps or --trace")
    failure = None
    async for row in bench(options.url, lines, options.policy, watch_s=options.watch_s, settings=PlaybackSettings()):
        if row.report.end_reason == "failed":
            failure = row.report.errors[-1]
        _write({"line": row.line, "policy": row.policy, **msgspec.to_builtins(row.report)})
    return _told(failure)


async def _download(options: argparse.Namespace) -> int:
    settings = PlaybackSettings(language=options.audio, captions=options.captions)
    async with Player(settings=settings) as player:
        title = await player.download_url(options.url, options.folder, max_height=options.max_height)
    _write(msgspec.to_builtins(title))
    return 0


async def _probe(options: argparse.Namespace) -> int:
    async with Player(settings=PlaybackSettings(retry=RetrySettings(attempts=1))) as player:
        presentation = await player.probe_url(options.url)
    _write(
        {
            "url": options.url,
            "duration_s": presentation.duration_s,
            "video": [_track(track) for track in presentation.video],
            "audio": [_track(track) for track in presentation.audio],
            "captions": [_track(track) for track in presentation.text],
            "steering_uri": presentation.steering_uri and urljoin(options.url, presentation.steering_uri),
        }
    )
    return 0


_COMMANDS = {"play": _play, "probe": _probe, "watch": _watch, "bench": _bench, "download": _download}


def _seconds(text: str) -> float:
    return _checked(text, float, lambda value: value >= 0.0, "a number of seconds from 0 on")


def _rate(text: str) -> float:
    return _checked(text, float, lambda value: value > 0.0, "bits a second above 0")


def _count(text: str) -> int:
    return _checked(text, int, lambda value: value > 0, "a whole number above 0")


def _checked(text: str, read: Callable[[str], Number], fits: Callable[[Number], bool], wanted: str) -> Number:
    try:
        value = read(text)
        if math.isfinite(value) and fits(value):
            return value
    except ValueError:
        pass  # told as what does not fit
    raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")


def _track(track: Track) -> dict[str, Any]:
    segments = track.media.segments if track.media is not None else ()
    return {
        "rung": track.rung,
        "bitrate_bps": _declared(track.bitrate_bps) or _mean_bitrate_bps(segments),
        "peak_bitrate_bps": _declared(track.peak_bitrate_bps),
        "codecs": list(track.codecs),
        "width": track.width,
        "height": track.height,
        "frame_rate": track.frame_rate,
        "language": track.language,
        "uri": track.uri,
        "segments": len(segments),
    }


def _declared(bitrate_bps: float) -> float | None:
    return bitrate_bps if bitrate_bps > UNDECLARED_BITRATE_BPS else None


def _mean_bitrate_bps(segments: Sequence[Segment]) -> float | None:
    """By the sizes that a playlist tells; None where it does not."""
    sizes = [segment.size_bytes for segment in segments if segment.size_bytes is not None]
    duration_s = sum(segment.duration_s for segment in segments)
    return 8.0 * sum(sizes) / duration_s if len(sizes) == len(segments) and duration_s > 0.0 else None


def _told(failure: str | None) -> int:
    """Say on stderr why something could not be played; the code to end with."""
    if failure is None:
        return 0
    sys.stderr.write(f"matinee-player: {failure}\n")
    return 1


def _write(line: dict[str, Any], output: TextIO | None = None) -> None:
    output = output or sys.stdout
    output.write(msgspec.json.encode(line).decode() + "\n")
    output.flush()
