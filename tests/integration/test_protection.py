"""Protected packages by the real packager: what is stored cannot be played, and with the key it is the film again."""

import base64
import datetime as dt
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from orchestration.media import TitleWork, ingest_master, read_current_package
from orchestration.media.clear import clear_file
from orchestration.media.errors import ProtectionError
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.protection import ContentKeys, common_pssh
from orchestration.media.renditions import read_rendition
from orchestration.media.settings import MediaSettings
from orchestration.store import LocalStore

CLEAR = MediaSettings(ladder="fixed", preset="ultrafast", max_rungs=1, threads=1)
KEYS = ContentKeys("a secret of this test")
NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
MPD = {"mpd": "urn:mpeg:dash:schema:mpd:2011", "cenc": "urn:mpeg:cenc:2013"}


class Room:
    """A store and what an ingest needs."""

    def __init__(self, root, master):
        self.root, self.master = root, master
        self.store = LocalStore(root / "store")

    def ingest(self, settings, keys=KEYS):
        work = TitleWork(
            store=self.store,
            title_id="film",
            master=lambda: self.master,
            settings=settings,
            work_folder=self.root / "work",
            keys=keys,
        )
        return ingest_master(work, self.root / "quarantine", lambda: NOW)

    def text(self, key):
        return self.store.read_bytes(f"media/film/{key}").decode()


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    path = tmp_path_factory.mktemp("master") / "film.mp4"
    command = [
        find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=6", "-f", "lavfi", "-i",
        "sine=d=6:r=48000", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    return path


@pytest.fixture(scope="module")
def clear_pictures(tmp_path_factory, master):
    room = Room(tmp_path_factory.mktemp("clear"), master)
    room.ingest(CLEAR)
    return pictures_of(room, "none", room.root)


def pictures_of(room, protection, folder):
    """Every decoded picture of the one video rung under a protection, decrypted with the key."""
    record = next(
        item
        for item in read_current_package(room.store, "film").renditions
        if item.kind == "video" and item.protection == protection
    )
    rendition = read_rendition(room.store, "film", record.rendition_id)
    return decode(clear_file(room.store, "film", rendition, folder, KEYS))


def decode(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


def same(pictures, others):
    return len(pictures) == len(others) and all(np.array_equal(a, b) for a, b in zip(pictures, others, strict=True))


@pytest.fixture(scope="module", params=["cenc", "cbcs"])
def protected(request, tmp_path_factory, master):
    room = Room(tmp_path_factory.mktemp(request.param), master)
    settings = msgspec.structs.replace(CLEAR, protection=request.param, key_server_url="https://keys.test")
    return request.param, room, room.ingest(settings)


def test_a_protected_package_conforms_and_says_how_it_is_encrypted(protected):
    scheme, room, packaged = protected
    assert packaged.findings == []
    assert packaged.published
    assert {item.protection for item in packaged.record.renditions} == {scheme}
    key_ids = {item.kind: item.key_id for item in packaged.record.renditions}
    assert key_ids["video"] != key_ids["audio"]

    mpd = ElementTree.fromstring(room.text(packaged.record.dash_key))
    for adaptation_set in mpd.iterfind(".//mpd:AdaptationSet", MPD):
        scheme_element, common, clearkey = adaptation_set.findall("mpd:ContentProtection", MPD)
        assert scheme_element.get("value") == scheme
        default_key_id = scheme_element.get("{urn:mpeg:cenc:2013}default_KID").replace("-", "")
        assert default_key_id == key_ids[adaptation_set.get("contentType")]
        pssh = base64.b64decode(common.findtext("cenc:pssh", namespaces=MPD))
        assert pssh == common_pssh(sorted(key_ids.values()))
        assert [child.text for child in clearkey] == ["https://keys.test/v1/keys/license"] * 2

    method = {"cenc": "SAMPLE-AES-CTR", "cbcs": "SAMPLE-AES"}[scheme]
    master_playlist = room.text(packaged.record.hls_key)
    for item in packaged.record.renditions:
        playlist = room.text(f"p/{packaged.record.package_id}/{item.rung}.m3u8")
        key_lines = re.findall(r"#EXT-X-KEY:(.*)", playlist)
        data = {
            "org.w3.clearkey": bytes.fromhex(item.key_id),
            "urn:uuid:1077efec-c0b2-4d02-ace3-3c1e52e2fb4b": common_pssh([item.key_id]),
        }
        assert key_lines == [
            f'METHOD={method},URI="data:text/plain;base64,{base64.b64encode(content).decode()}",KEYID=0x{item.key_id},'
            f'KEYFORMAT="{system}",KEYFORMATVERSIONS="1"'
            for system, content in data.items()
        ]
        for line in key_lines:
            assert master_playlist.count(f"#EXT-X-SESSION-KEY:{line}\n") == 1


def test_stored_segments_hold_the_pssh_and_decode_only_with_the_key(protected, clear_pictures, tmp_path):
    scheme, room, packaged = protected
    video = next(item for item in packaged.record.renditions if item.kind == "video")
    folder = room.store.local_path(f"media/film/r/{video.rendition_id}")
    init = (folder / "init.mp4").read_bytes()
    assert common_pssh(sorted(item.key_id for item in packaged.record.renditions)) in init
    joined = tmp_path / "joined.mp4"
    joined.write_bytes(init + b"".join(file.read_bytes() for file in sorted(folder.glob("seg-*.m4s"))))
    try:
        without_key = decode(joined)
    except av.error.FFmpegError:
        without_key = []
    assert not same(without_key, clear_pictures)
    assert same(pictures_of(room, scheme, tmp_path), clear_pictures)


def test_keys_reach_neither_the_store_nor_the_work_folder(protected):
    _, room, packaged = protected
    for item in packaged.record.renditions:
        key = KEYS.key_of(item.key_id)
        for path in room.root.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert key not in content
                assert key.hex().encode() not in content
                assert KEYS.secret.encode() not in content


def test_each_rendition_has_a_vector_and_each_protection_an_id_of_its_own(protected, master, tmp_path):
    scheme, _room, packaged = protected
    again = Room(tmp_path, master).ingest(msgspec.structs.replace(CLEAR, protection=scheme, key_generation=2))
    assert not {item.rendition_id for item in again.record.renditions} & {
        item.rendition_id for item in packaged.record.renditions
    }
    twin = Room(tmp_path / "twin", master).ingest(
        msgspec.structs.replace(CLEAR, protection=scheme, key_server_url="https://keys.test")
    )
    assert twin.record == packaged.record


def test_without_a_secret_nothing_is_published(master, tmp_path):
    room = Room(tmp_path, master)
    with pytest.raises(ProtectionError, match="set MATINEE_SECRET"):
        room.ingest(msgspec.structs.replace(CLEAR, protection="cenc"), keys=None)
    assert list(room.store.folders("media/")) == []


@pytest.mark.parametrize("choices", [{"protection": "cbcs"}, {"hls_aes_128": True}])
def test_what_another_secret_encrypted_is_not_taken_for_done(master, tmp_path, choices):
    room, settings = Room(tmp_path, master), msgspec.structs.replace(CLEAR, **choices)
    first = room.ingest(settings)
    assert room.ingest(settings).record == first.record
    for other in (ContentKeys("another secret"), None):
        with pytest.raises(ProtectionError, match="MATINEE_SECRET"):
            room.ingest(settings, keys=other)
    anew = room.ingest(msgspec.structs.replace(settings, key_generation=2), keys=ContentKeys("another secret"))
    assert anew.published
    assert anew.record.package_id != first.record.package_id


@pytest.fixture(scope="module")
def with_aes_128(tmp_path_factory, master):
    room = Room(tmp_path_factory.mktemp("aes"), master)
    return room, room.ingest(msgspec.structs.replace(CLEAR, protection="cbcs", hls_aes_128=True))


def test_aes_128_is_a_variant_of_its_own_beside_what_dash_shares(with_aes_128):
    room, packaged = with_aes_128
    assert packaged.findings == []
    assert {(item.kind, item.protection) for item in packaged.record.renditions} == {
        ("video", "cbcs"), ("audio", "cbcs"), ("video", "aes-128"), ("audio", "aes-128"),
    }  # fmt: skip
    variant = room.text(packaged.record.hls_aes_128_key)
    assert "aes-128.m3u8" in variant
    assert "aes-128" not in room.text(packaged.record.hls_key)
    assert "aes-128" not in room.text(packaged.record.dash_key)
    listed = {item.key for item in packaged.record.objects}
    assert packaged.record.hls_aes_128_key in listed


def test_aes_128_segments_are_the_film_again_under_the_key(with_aes_128, clear_pictures, tmp_path):
    room, packaged = with_aes_128
    video = next(item for item in packaged.record.renditions if item.protection == "aes-128" and item.kind == "video")
    playlist = room.text(f"p/{packaged.record.package_id}/{video.rung}.m3u8")
    assert f'#EXT-X-KEY:METHOD=AES-128,URI="/v1/keys/{video.key_id}"' in playlist
    assert playlist.index("#EXT-X-MAP") < playlist.index("#EXT-X-KEY")
    folder = room.store.local_path(f"media/film/r/{video.rendition_id}")
    content = (folder / "init.mp4").read_bytes()
    for number, file in enumerate(sorted(folder.glob("seg-*.m4s"))):
        decryptor = Cipher(AES(KEYS.key_of(video.key_id)), CBC(number.to_bytes(16, "big"))).decryptor()
        unpadder = PKCS7(128).unpadder()
        content += unpadder.update(decryptor.update(file.read_bytes()) + decryptor.finalize()) + unpadder.finalize()
    joined = tmp_path / "joined.mp4"
    joined.write_bytes(content)
    assert same(decode(joined), clear_pictures)


def test_ffmpeg_plays_the_aes_128_playlist_with_the_key_file(with_aes_128, clear_pictures, tmp_path):
    """As a player does: the key is asked for at the playlist's URI."""
    room, packaged = with_aes_128
    video = next(item for item in packaged.record.renditions if item.protection == "aes-128" and item.kind == "video")
    folder = room.store.local_path(f"media/film/r/{video.rendition_id}")
    (tmp_path / "key").write_bytes(KEYS.key_of(video.key_id))
    text = room.text(f"p/{packaged.record.package_id}/{video.rung}.m3u8")
    text = text.replace(f"/v1/keys/{video.key_id}", "key").replace(f"../../r/{video.rendition_id}/", "")
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    playlist: Path = tmp_path / "played.m3u8"
    playlist.write_text(text)
    with av.open(str(playlist), options={"allowed_extensions": "ALL", "extension_picky": "0"}) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert same(pictures, clear_pictures)
