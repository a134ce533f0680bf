"""What can go wrong with media, as one tree.

The tree::

    MediaError
    ├── ProgramError             an external program
    │   ├── ProgramMissing         is not installed
    │   ├── ProgramFailed          ended with an error; carries its last words
    │   ├── ProgramTimedOut        took too long and was killed
    │   └── ProgramCancelled       was ended because what it worked for failed or was cancelled
    ├── MasterMissing            a title has no master file, or it changed since it was probed
    ├── RecordDamaged            what an earlier step left in the store cannot be read
    ├── MasterRejected           a master that cannot become a title; carries the reasons
    ├── EncodeTruncated          an encode ended early although the encoder said that all was well
    ├── QualityUnmeasured        a rendition and its master cannot be compared
    ├── PackagingError           renditions that cannot be packaged, or a packager output that makes no sense
    ├── ProtectionError          media is to be protected and cannot be
    └── PackageMissing           a title has no package, or its record cannot be read
"""

from __future__ import annotations

from collections.abc import Sequence


class MediaError(Exception):
    """The root of what this package raises."""


class ProgramError(MediaError):
    """An external program did not do its work."""


class ProgramMissing(ProgramError):
    """An external program is not where it should be."""


class ProgramFailed(ProgramError):
    """An external program ended with an error.

    Attributes:
        exit_code: As the system reports it; negative for a signal.
        last_lines: The end of what it wrote to standard error.
    """

    def __init__(self, program: str, exit_code: int, last_lines: Sequence[str]) -> None:
        self.exit_code = exit_code
        self.last_lines = list(last_lines)
        super().__init__(f"{program} ended with code {exit_code}. Its last lines:\n" + "\n".join(self.last_lines))


class ProgramTimedOut(ProgramError):
    """An external program was killed because it took too long."""

    def __init__(self, program: str, timeout_s: float, last_lines: Sequence[str]) -> None:
        self.last_lines = list(last_lines)
        super().__init__(
            f"{program} was killed after {timeout_s:.0f} s. Its last lines:\n" + "\n".join(self.last_lines)
        )


class ProgramCancelled(ProgramError):
    """An external program was ended because what it worked for failed or was cancelled elsewhere."""


class MasterMissing(MediaError):
    """No file, or another file than the one that was probed, stands for a title."""


class RecordDamaged(MediaError):
    """What an earlier step left in the store cannot be read."""


class MasterRejected(MediaError):
    """A master cannot become a title; ``reasons`` says why, one sentence each."""

    def __init__(self, file: str, reasons: Sequence[str]) -> None:
        self.file = file
        self.reasons = list(reasons)
        super().__init__(f"{file} was refused: " + "; ".join(self.reasons))


class EncodeTruncated(MediaError):
    """An encode holds less than its master; publishing it would cut the film short."""


class QualityUnmeasured(MediaError):
    """A rendition and its master cannot be compared picture by picture."""


class PackagingError(MediaError):
    """Renditions cannot be packaged, or the packager's output makes no sense."""


class ProtectionError(MediaError):
    """Media is to be protected, and the secret is missing or another one than before, or a scheme cannot do it."""


class PackageMissing(MediaError):
    """A title has no package to serve, or its record cannot be read."""
