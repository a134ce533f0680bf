import stat
from pathlib import Path

import pytest

from orchestration.media.key_file import key_file

LABELS = [{"label": "one", "key_id": "01", "key": "aa"}, {"label": "", "key_id": "02", "key": "bb"}]


def test_the_packager_reads_every_key_from_a_file_for_this_user_alone(tmp_path):
    with key_file(tmp_path, LABELS) as option:
        file = Path(option.removeprefix("--flagfile="))
        assert file.read_text() == "--keys=label=one:key_id=01:key=aa,label=:key_id=02:key=bb\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_gone_when_the_packager_fails(tmp_path):
    with pytest.raises(RuntimeError), key_file(tmp_path, LABELS):
        raise RuntimeError("the packager failed")
    assert list(tmp_path.iterdir()) == []
