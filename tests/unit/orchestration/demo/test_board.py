import io
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from orchestration.demo.board import Board


def test_a_stage_leaves_a_line() -> None:
    screen = io.StringIO()
    board = Board(Console(file=screen, width=150))
    with board.stage("Masters", "titles") as stage:
        stage.progress(1, 2, "half-way")
        stage.count, stage.note = 8, "5 encoded"
    assert [(line.name, line.count, line.unit, line.note) for line in board.lines] == [
        ("Masters", 8, "titles", "5 encoded")
    ]
    assert "5 encoded" in screen.getvalue()


SCRIPT = """
import subprocess, sys
from pathlib import Path
from orchestration.demo.board import output_to_log
with output_to_log(Path(sys.argv[1])) as console:
    print("from python")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    console.print("for the person")
print("afterwards")
"""


def test_output_of_a_process_and_of_its_children_goes_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "demo.log"
    ran = subprocess.run([sys.executable, "-c", SCRIPT, str(log)], check=True, capture_output=True, text=True)
    assert sorted(log.read_text().splitlines()) == ["from a child", "from python"]
    assert ran.stdout == "for the person\nafterwards\n"
    assert ran.stderr == ""
