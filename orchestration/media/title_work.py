"""One title on its way through the steps: what all of them are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestration.media.errors import MasterMissing
from orchestration.media.handover import ProbedMaster, read_probed
from orchestration.media.masters import readable
from orchestration.media.protection import ContentKeys
from orchestration.media.scratch import scratch_folder
from orchestration.media.settings import MediaSettings
from orchestration.store import ObjectStore, file_sha256


@dataclass(frozen=True, kw_only=True)
class TitleWork:
    """What a step of a title is given.

    Attributes:
        master: Finds the master file; called only where the file is needed.
        work_folder: Steps have their scratch folders in it; it is made when it is not there.
        keys: Needed where the settings ask for protection.
    """

    store: ObjectStore
    title_id: str
    master: Callable[[], Path]
    settings: MediaSettings
    work_folder: Path
    keys: ContentKeys | None = None

    def read_probed(self) -> ProbedMaster:
        """What the probe of the title's master found.

        Raises:
            MasterMissing: It was not probed.
        """
        return read_probed(self.store, self.title_id)

    def probed_master(self) -> Path:
        """The master, if it is still the file that was probed.

        Raises:
            MasterMissing: It is gone or another one.
        """
        master, probed = self.master(), self.read_probed()
        try:
            status = master.stat()
        except FileNotFoundError:
            raise MasterMissing(f"{readable(str(master))} is gone; deliver it again") from None
        if (status.st_size, status.st_mtime_ns) == (probed.size_bytes, probed.modified_ns):
            return master
        if status.st_size != probed.size_bytes or file_sha256(master) != probed.sha256:
            raise MasterMissing(
                f"{readable(master.name)} changed after it was probed; materialise media/probe of {self.title_id}"
            )
        return master

    @contextmanager
    def scratch_folder(self) -> Iterator[Path]:
        """A folder of its own for one step, gone with all that is in it when the step ends, or after it was killed."""
        with scratch_folder(self.work_folder, self.title_id) as folder:
            yield folder
