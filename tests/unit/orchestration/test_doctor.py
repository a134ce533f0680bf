import pytest

from orchestration.cli import app


@pytest.fixture
def doctor(tmp_path, monkeypatch, capsys):
    def run(**environment):
        monkeypatch.setenv("MATINEE_HOME", str(tmp_path))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        code = app(["doctor"], result_action="return_value")
        return code, {line.split()[1]: line.split()[0] for line in capsys.readouterr().out.splitlines()}

    return run


def test_a_secret_that_everybody_knows_is_noted_and_no_failure(doctor, monkeypatch):
    monkeypatch.delenv("MATINEE_SECRET", raising=False)
    code, marks = doctor()
    assert marks["secret"] == "note"
    assert marks["python"] == "ok"
    assert code == int("FAIL" in marks.values())  # as for want of room on the machine
    assert doctor(MATINEE_SECRET="one of our own")[1]["secret"] == "ok"


def test_masters_that_are_not_there_are_a_failure(doctor, tmp_path):
    code, marks = doctor(MATINEE_MASTERS=str(tmp_path / "nowhere"))
    assert (code, marks["masters"]) == (1, "FAIL")
