from __future__ import annotations

import subprocess

import pytest

from orchestration.resources import tracking
from orchestration.resources.tracking import ModelTracking, code_revision


@pytest.fixture
def checkout(tmp_path):
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    (tmp_path / "code.py").write_text("one")
    git("add", "code.py")
    git("commit", "--quiet", "--message", "one")
    return tmp_path, git("rev-parse", "HEAD")


def test_the_commit_is_told_and_whether_files_differ_from_it(checkout):
    folder, commit = checkout
    assert code_revision(folder) == commit
    (folder / "code.py").write_text("two")
    assert code_revision(folder) == f"{commit}-dirty"


def test_outside_a_checkout_nobody_knows_and_nothing_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert code_revision(tmp_path) == ""
    monkeypatch.setenv("PATH", "")
    assert code_revision(tmp_path) == ""


def test_only_runs_ask_which_code_this_is_and_a_process_asks_once(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(tracking, "code_revision", lambda folder: asked.append(folder) or "0123abc")
    tracking.own_revision.cache_clear()
    resource = ModelTracking(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifact_folder=str(tmp_path / "files"))
    try:
        assert resource.tracker().champion("nobody") is None
        assert asked == []
        for _ in range(2):
            with resource.tracker().run("tests", "a run"):
                pass
        assert asked == [tracking.PROJECT_FOLDER]
    finally:
        tracking.own_revision.cache_clear()
