import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from player_sdk.cli import parser
from player_sdk.testing import API_HOST, BEATS_HOST, START_UTC, FakeOrigin, FakeTitle

import player_sdk
from player_sdk import EmulatedTransport, Link, VirtualClock, client

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^matinee-player (.*?)(?:   .*| \| .*)?$", README, re.MULTILINE)


def test_everything_promised_is_there_and_nothing_twice():
    assert len(set(player_sdk.__all__)) == len(player_sdk.__all__)
    for name in player_sdk.__all__:
        assert getattr(player_sdk, name).__doc__, f"{name} has no docstring"


def test_importing_the_player_pulls_in_no_test_doubles_and_nothing_heavy():
    code = (
        "import sys, player_sdk; "
        "print(sorted({name.split('.')[0] for name in sys.modules}), 'player_sdk.testing' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("False")
    for heavy in ("numpy", "av", "cryptography", "dagster", "litestar", "playback_api", "orchestration", "ml"):
        assert f"'{heavy}'" not in done.stdout


class Here(httpx.AsyncBaseTransport):
    """The fake platform, with its API where the examples look for it."""

    def __init__(self, platform):
        self.platform = platform

    async def handle_async_request(self, request):
        if request.url.host == "127.0.0.1":
            request.url = request.url.copy_with(host=API_HOST)
        return await self.platform.handle_async_request(request)


@pytest.mark.parametrize(
    ("code", "told"),
    list(
        zip(
            EXAMPLES,
            [
                r"Ended\(reason='stopped'",
                r"Ended\(reason='stopped', .* 60\.0\n",
                r"played_s=60\.0",
                r"\n1\.0\n1080p \d+ None\n",
                r"^started after 0\.\d+ s, stood still for \d+\.\d s\n$",
                r"^\d\.\d Mbit/s, 1 switches\n$",
                r"^PathwaySwitched\(.*new_id='origin'.*\nEnded\(reason='completed'.*\ncompleted\n$",
                r"^stopped 2026-03-01 20:00:3",
            ],
            strict=True,
        )
    ),
)
def test_the_examples_of_the_readme_run(code, told, monkeypatch, tmp_path, capsys):
    clock = VirtualClock(START_UTC)
    platform = FakeOrigin([FakeTitle(title_id="s-0001", duration_s=120.0)])
    link = Link.constant(10e6)
    free = {API_HOST, BEATS_HOST, "127.0.0.1"}
    monkeypatch.setattr(
        client, "http_transport", lambda: EmulatedTransport(Here(platform), clock=clock, link=link, free_hosts=free)
    )
    monkeypatch.setattr(client, "SystemClock", lambda: clock)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    assert re.search(told, capsys.readouterr().out)


def test_the_commands_of_the_readme_are_those_there_are():
    assert len(COMMANDS) > 8
    for command in COMMANDS:
        parser().parse_args(shlex.split(command))
