"""Titles kept in a folder, to be played without a network until their licence ends.

What is kept is HLS, whatever it came from: one rung, one track of sound and one of captions, with names of our own.
Every file is written beside its place and moved there, so a download that broke off goes on where it was.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import msgspec

from player_sdk.errors import OfflineExpired, PlayerError, PlaylistError
from player_sdk.playlist import MediaPlaylist, Segment, Track
from player_sdk.playlist.model import ByteRange, InitSegment
from player_sdk.title_reader import TitleReader
from player_sdk.tracks import Selection

PLAYLIST = "master.m3u8"
_RECORD = "title.json"
_MEDIA = "media"
_RENDITIONS = {"audio": "AUDIO", "text": "SUBTITLES"}


class OfflineTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A title in a folder.

    Attributes:
        expires_at: When it may be played no more; None where nobody said.
        size_bytes: Of all media files.
    """

    title_id: str
    expires_at: dt.datetime | None
    duration_s: float
    rung: str
    size_bytes: int


def read_offline(folder: Path, now: dt.datetime) -> OfflineTitle:
    """What a folder holds.

    Raises:
        OfflineExpired: Its licence has ended.
        PlayerError: Nothing, or a download that did not come to its end.
    """
    try:
        title = msgspec.json.decode((folder / _RECORD).read_bytes(), type=OfflineTitle)
    except FileNotFoundError as error:
        raise PlayerError(f"{folder} holds no complete download; download the title again to complete it") from error
    except (OSError, msgspec.DecodeError) as error:
        raise PlayerError(f"{folder / _RECORD} cannot be read: {error}") from error
    if title.expires_at is not None and now >= title.expires_at:
        raise OfflineExpired(f"{title.title_id} could be played until {title.expires_at}; download it again")
    return title


class OfflineDownload:
    """Writes one title into a folder.

    Args:
        reader: Has opened it.
        folder: Is made if it is not there.
        progress: Told the share of the files that are there, from 0 to 1.
    """

    def __init__(self, *, reader: TitleReader, folder: Path, progress: Callable[[float], None] | None = None) -> None:
        self._reader = reader
        self._folder = folder
        self._progress = progress or (lambda share: None)

    async def keep(self, title_id: str, selection: Selection, expires_at: dt.datetime | None) -> OfflineTitle:
        """Keep the top of the ladder with the sound and the captions that go with it.

        Raises:
            DeliveryError: Something did not come; what did is kept for the next try.
            PlaylistError: A live or encrypted title, which cannot be kept.
            PlayerError: The folder cannot be written.
        """
        try:
            return await self._keep(title_id, selection, expires_at)
        except OSError as error:
            raise PlayerError(f"the title cannot be kept in {self._folder}: {error}") from error

    async def _keep(self, title_id: str, selection: Selection, expires_at: dt.datetime | None) -> OfflineTitle:
        tracks = [one for one in (selection.ladder[-1], selection.audio, selection.captions) if one is not None]
        playlists = [await self._reader.playlist(track) for track in tracks]
        files = {name: place for playlist in playlists for name, place in _files(playlist).items()}
        for done, (name, (uri, byte_range)) in enumerate(files.items(), start=1):
            if not (self._folder / name).exists():
                self._write(name, await self._reader.fetch(uri, byte_range))
            self._progress(done / len(files))
        for track, playlist in zip(tracks, playlists, strict=True):
            self._write(f"{track.kind}.m3u8", _media_playlist(playlist).encode())
        self._write(PLAYLIST, _multivariant(tracks).encode())
        title = OfflineTitle(
            title_id=title_id,
            expires_at=expires_at,
            duration_s=playlists[0].duration_s,
            rung=tracks[0].rung,
            size_bytes=sum((self._folder / name).stat().st_size for name in files),
        )
        self._write(_RECORD, msgspec.json.encode(title))
        for path in (self._folder / _MEDIA).iterdir():
            if f"{_MEDIA}/{path.name}" not in files:
                path.unlink()  # of another title or rung that was kept here before
        return title

    def _write(self, name: str, content: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".part")
        beside.write_bytes(content)
        beside.replace(path)


class FolderTransport(httpx.AsyncBaseTransport):
    """Answers with the files of one folder, and with nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The file of a path."""
        path = (self._folder / unquote(request.url.path).lstrip("/")).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            return httpx.Response(404)
        return httpx.Response(200, content=path.read_bytes())


def _files(playlist: MediaPlaylist) -> dict[str, tuple[str, ByteRange | None]]:
    """Where each file of a track comes from, by the name that it has on disk.

    Raises:
        PlaylistError: It cannot be kept.
    """
    if not playlist.ended:
        raise PlaylistError("a live title cannot be kept")
    if any(one.key is not None for one in playlist.segments):
        raise PlaylistError("an encrypted title cannot be kept: what is on disk would be in the clear")
    parts: list[Segment | InitSegment] = list(
        dict.fromkeys(one.init for one in playlist.segments if one.init is not None)
    )
    parts += [one for one in playlist.segments if not one.gap]
    return {_name(part): (part.uri, part.byte_range) for part in parts}


def _name(part: Segment | InitSegment) -> str:
    """By what it is, not by its place: another rung or a new package takes no file of the old one for its own."""
    suffix = re.search(r"\.[A-Za-z0-9]{1,5}$", urlsplit(part.uri).path)
    origin = f"{part.uri} {part.byte_range.header() if part.byte_range else ''}"
    return f"{_MEDIA}/{hashlib.sha256(origin.encode()).hexdigest()[:24]}{suffix[0] if suffix else ''}"


def _media_playlist(playlist: MediaPlaylist) -> str:
    segments = playlist.segments
    longest_s = max(segment.duration_s for segment in segments)
    lines = ["#EXTM3U", "#EXT-X-VERSION:8", f"#EXT-X-TARGETDURATION:{max(1, round(longest_s))}"]
    lines += [f"#EXT-X-MEDIA-SEQUENCE:{playlist.first_number}", "#EXT-X-PLAYLIST-TYPE:VOD"]
    for before, segment in zip((None, *segments), segments, strict=False):
        if before is not None and before.discontinuity != segment.discontinuity:
            lines.append("#EXT-X-DISCONTINUITY")
        if segment.init is not None and (before is None or before.init != segment.init):
            lines.append(f'#EXT-X-MAP:URI="{_name(segment.init)}"')
        lines += ["#EXT-X-GAP"] if segment.gap else []
        lines += [f"#EXTINF:{segment.duration_s:.6f},", _name(segment)]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def _multivariant(tracks: Sequence[Track]) -> str:
    lines, groups = ["#EXTM3U", "#EXT-X-VERSION:8"], ""
    video, *beside = tracks
    for track in beside:
        kind = _RENDITIONS[track.kind]
        groups += f',{kind}="{track.kind}"'
        lines.append(
            f'#EXT-X-MEDIA:TYPE={kind},GROUP-ID="{track.kind}",NAME="{_plain(track.name or track.language)}",'
            f'LANGUAGE="{_plain(track.language)}",DEFAULT=YES,URI="{track.kind}.m3u8"'
        )
    codecs = dict.fromkeys(codec for track in tracks if track.kind != "text" for codec in track.codecs)
    lines.append(
        f"#EXT-X-STREAM-INF:BANDWIDTH={round(video.peak_bitrate_bps)},AVERAGE-BANDWIDTH={round(video.bitrate_bps)}"
        + (f',CODECS="{_plain(",".join(codecs))}"' if codecs else "")
        + (f",RESOLUTION={video.width}x{video.height}" if video.width and video.height else "")
        + groups
    )
    return "\n".join([*lines, "video.m3u8"]) + "\n"


def _plain(text: str) -> str:
    """What may stand between quotes in a playlist."""
    return "".join(letter for letter in text if letter.isprintable() and letter != '"')
