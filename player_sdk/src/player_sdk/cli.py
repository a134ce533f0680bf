"""``matinee-player``: play or look into any HLS or DASH URL from a shell. JSON lines on stdout, problems on stderr."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from player_sdk.client import Player
from player_sdk.errors import PlayerError, PlaylistError
from player_sdk.playlist import Track, parse_manifest
from player_sdk.transports import http_transport


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when it worked, 1 when the title could not be played or read."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_play(options) if options.command == "play" else _probe(options))
    except (PlayerError, httpx.HTTPError) as error:
        sys.stderr.write(f"matinee-player: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="matinee-player", description="Play HLS and DASH without a screen.")
    commands = parser.add_subparsers(dest="command", required=True)
    play = commands.add_parser("play", help="play a URL and report start-up, stalls and bit rate")
    play.add_argument("url")
    play.add_argument("--watch-s", type=float, default=None, help="stop after so many seconds of media")
    play.add_argument("--start-s", type=float, default=0.0, help="media position to start at")
    play.add_argument("--max-height", type=int, default=None, help="tallest video to play")
    play.add_argument("--events", action="store_true", help="one line for each event, before the report")
    probe = commands.add_parser("probe", help="say what a manifest offers")
    probe.add_argument("url")
    return parser


async def _play(options: argparse.Namespace) -> int:
    async with Player() as player:
        session = player.open_url(options.url, max_height=options.max_height, start_s=options.start_s)
        async for event in session.events(options.watch_s):
            if options.events:
                _write({"event": type(event).__name__, "position_s": session.position_s, **msgspec.to_builtins(event)})
        report = session.report
    if report is None:
        return 1
    _write(msgspec.to_builtins(report))
    return 1 if report.end_reason == "failed" else 0


async def _probe(options: argparse.Namespace) -> int:
    async with httpx.AsyncClient(transport=http_transport(), follow_redirects=True) as http:
        response = await http.get(options.url)
    if not response.is_success:
        raise PlaylistError(f"{options.url} answered {response.status_code}")
    presentation = parse_manifest(response.text, str(response.url))
    _write(
        {
            "url": str(response.url),
            "duration_s": presentation.duration_s,
            "video": [_track(track) for track in presentation.video],
            "audio": [_track(track) for track in presentation.audio],
            "steering_uri": presentation.steering_uri,
        }
    )
    return 0


def _track(track: Track) -> dict[str, Any]:
    return {
        "rung": track.rung,
        "bitrate_bps": track.bitrate_bps,
        "peak_bitrate_bps": track.peak_bitrate_bps,
        "codecs": list(track.codecs),
        "width": track.width,
        "height": track.height,
        "frame_rate": track.frame_rate,
        "language": track.language,
        "uri": track.uri,
        "segments": len(track.media.segments) if track.media is not None else None,
    }


def _write(line: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
