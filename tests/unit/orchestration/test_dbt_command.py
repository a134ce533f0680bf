import importlib.metadata
import subprocess
import sys

from orchestration.defs.warehouse.project import dbt_executable


def test_it_answers_the_version_without_loading_dbt() -> None:
    answer = subprocess.run([dbt_executable(), "--version"], check=True, capture_output=True, text=True).stdout
    assert importlib.metadata.version("dbt-core") in answer
    script = (
        "import sys; sys.argv[1:] = ['--version']; from orchestration.dbt_command import main; main(); "
        "raise SystemExit('dbt.cli' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_everything_else_is_dbt() -> None:
    answer = subprocess.run([dbt_executable(), "--help"], check=True, capture_output=True, text=True).stdout
    assert "build" in answer
