"""How sessions play: what a client sets once for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from player_sdk.cmcd import CmcdVersion
from player_sdk.loader import RetrySettings
from player_sdk.playlist import Presentation
from player_sdk.tracks import PLAYABLE_CODECS, Display, Selection, select_tracks


@dataclass(frozen=True, kw_only=True)
class PlaybackSettings:
    """How sessions play.

    Attributes:
        protocol: Which manifest to play when the plan offers both.
        buffer_max_s: How far ahead of the playhead to load.
        buffer_max_bytes: How much of picture and sound to hold; one segment is always allowed.
        display: The screen, if it is known: nothing is loaded that is larger than it can show.
        codecs: Beginnings of the codec names that can be played.
        mixed_codecs: The device's decoders go on from one codec of picture to another, so rungs of all may be played.
        language: Audio language to prefer.
        captions: Language of the captions to begin with, None for none.
        cmcd: Send Common Media Client Data with media requests.
        cmcd_version: Which version of it.
        cmcd_events_url: Where its events go (version 2), None sends none.
        slice_s: Longest wait between two looks at what is due while nothing is loaded.
        steering_after_s: When steering is first asked; the order of the playback plan is fresh before that.

    Raises:
        ValueError: A buffer or a wait that is not positive.
    """

    protocol: Literal["hls", "dash"] = "hls"
    buffer_max_s: float = 30.0
    buffer_max_bytes: int = 200_000_000
    display: Display | None = None
    codecs: tuple[str, ...] = PLAYABLE_CODECS
    mixed_codecs: bool = False
    language: str | None = None
    captions: str | None = None
    cmcd: bool = False
    cmcd_version: CmcdVersion = 1
    cmcd_events_url: str | None = None
    slice_s: float = 5.0
    steering_after_s: float = 30.0
    retry: RetrySettings = field(default_factory=RetrySettings)

    def __post_init__(self) -> None:
        for name in ("buffer_max_s", "buffer_max_bytes", "slice_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, and is {getattr(self, name)}")

    def select(self, presentation: Presentation, device: str, max_height: int | None) -> Selection:
        """The tracks of a title that a viewer gets.

        Raises:
            PlaylistError: None can be played.
        """
        return select_tracks(
            presentation,
            device=device,
            max_height=max_height,
            display=self.display,
            codecs=self.codecs,
            mixed_codecs=self.mixed_codecs,
            language=self.language,
            captions=self.captions,
        )
