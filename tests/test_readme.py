"""Every command and every example file of the README, run."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.sweeps import SweepConfig
from tests.hub import serve
from tests.served import answering
from tests.sweeps.grids import wait_for

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.strip().splitlines()]
REAL = re.compile("llava-hf/|openai:").search  # what tests stand in for
FILES = {
    "colours.py": "class Colours",
    "parrot.py": "class Parrot",
    "odd.py": "Strategy(",
    "one_sided.py": 'Study("one_sided"',
}


def commands(program: str, slow: str) -> list[object]:
    """Those of a program that need no stand-in; some that take long or differ little are for `pytest -m slow`."""
    found = [command for command in COMMANDS if re.search(program, command) and not REAL(command)]
    marks = {command: [pytest.mark.slow] if re.search(slow, command) else [] for command in found}
    return [pytest.param(command, marks=marks[command]) for command in found]


def run(arguments: list[str], folder: Path) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the README's example files, and the studies that it names."""
    made = tmp_path_factory.mktemp("readme")
    for name, mark in FILES.items():
        (text,) = (text for kind, text in BLOCKS if kind == "python" and mark in text)
        (made / name).write_text(text)
    (made / "studies").symlink_to(ROOT / "studies")
    return made


def test_the_first_two_commands_install_run_and_test() -> None:
    assert COMMANDS[0] == "pip install uv && uv run python -m lcl_lab.studies.false_ratio"
    assert COMMANDS[1] == "uv run pytest"
    assert COMMANDS[1] in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.mark.parametrize("command", commands(r"lcl_lab\.studies\.(?!all)", slow="--ratios|strategies"))
def test_study_commands_run(command: str, folder: Path) -> None:
    words = shlex.split(command.split("uv run python ")[1])
    out = run([*words, "--preset", "tiny", "--queries", "4"], folder)
    assert Path(out.strip().splitlines()[-1], "report.md").is_file()


@pytest.mark.slow
def test_all_studies_run_by_one_command(folder: Path) -> None:
    (command,) = (c for c in COMMANDS if c.endswith("studies.all"))
    out = run([*shlex.split(command.removeprefix("uv run python ")), "--preset", "tiny"], folder)
    assert Path(out.strip().splitlines()[-1], "report.html").is_file()


def test_a_study_of_one_s_own_runs(folder: Path) -> None:
    (command,) = (c for c in COMMANDS if "one_sided.py" in c)
    out = run([*shlex.split(command.removeprefix("uv run python ")), "--queries", "4"], folder)
    report = Path(out.strip().splitlines()[-1], "report.md").read_text(encoding="utf-8")
    assert "python one_sided.py --preset tiny" in report
    assert "| mini/2-way | candidate |" in report


def test_the_dashboard_starts_by_its_commands(folder: Path) -> None:
    for command in (c for c in COMMANDS if "streamlit run" in c):
        words = shlex.split(command.removeprefix("uv run "))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = ["--server.headless", "true", "--server.port", str(port), "--server.address", "127.0.0.1"]
        words[3:3] = server
        process = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            wait_for(lambda port=port: answers(f"http://127.0.0.1:{port}/_stcore/health"), 60)
        finally:
            process.kill()
            process.wait()


def answers(address: str) -> bool:
    try:
        return bool(urllib.request.urlopen(address, timeout=1).status == 200)
    except OSError:
        return False


def test_the_size_of_a_study_is_told(folder: Path) -> None:
    (command,) = (c for c in COMMANDS if "lcl_lab.power" in c)
    out = run(shlex.split(command.removeprefix("uv run python ")), folder)
    assert re.search(r"1 +\d+ +\d+ +\d+", out)


def test_a_model_of_the_hub_is_asked_about_a_folder_of_images(
    folder: Path, stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = (c for c in COMMANDS if "llava-hf/" in c)
    world = load_dataset("isekai-mini")
    for pair in world.pairs[:2]:
        for concept in pair:
            (folder / "photos" / concept).mkdir(parents=True)
            for number in range(5):
                world.image(ImageRef(world.name, concept, number)).save(folder / "photos" / concept / f"{number}.png")
    with serve("llava-hf/llava-1.5-7b-hf", stock, tmp_path / "hub", monkeypatch) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
        words = shlex.split(command.split("uv run python ")[1])
        out = run([*words, "--preset", "tiny", "--queries", "4"], folder)
    assert "llava-hf/llava-1.5-7b-hf" in Path(folder, out.strip().splitlines()[-1], "report.md").read_text()


def test_a_model_behind_a_server_is_asked(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = (c for c in COMMANDS if "openai:" in c)
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    with answering("a cactus") as address:
        words = shlex.split(command.split("uv run python ")[1].replace("http://127.0.0.1:8000", address))
        out = run([*words, "--preset", "tiny", "--queries", "4"], folder)
    assert "**openai:NAME**, open-ended" in Path(folder, out.strip().splitlines()[-1], "report.md").read_text()


def test_the_released_weights_are_converted(released: tuple[Path, Path], tmp_path: Path) -> None:
    (command,) = (c for c in COMMANDS if "convert_shikra" in c)
    shards, tower = released
    (tmp_path / "LCL_2WAY_WEIGHT").symlink_to(shards)
    run([*shlex.split(command.removeprefix("uv run python ")), "--vision-tower", str(tower)], tmp_path)
    assert (tmp_path / "lcl-2way-weight" / "config.json").is_file()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_evaluator_s_benchmark_runs(tmp_path: Path) -> None:
    (command,) = (c for c in COMMANDS if "benchmarks.evaluator" in c)
    out = run([*shlex.split(command.removeprefix("uv run python ")), "--queries", "1", "--threads", "1"], tmp_path)
    assert out.count("floor") == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_sweep_s_benchmark_runs(tmp_path: Path) -> None:
    (command,) = (c for c in COMMANDS if "benchmarks.sweep" in c)
    out = run([*shlex.split(command.removeprefix("uv run python ")), "--trials", "2", "--steps", "2"], tmp_path)
    assert "2 workers against 1" in out


def test_the_dashboard_s_benchmark_runs(tmp_path: Path) -> None:
    (command,) = (c for c in COMMANDS if "benchmarks.dashboard" in c)
    out = run([*shlex.split(command.removeprefix("uv run python ")), "--records", "1"], tmp_path)
    assert re.search(r"provenance +\d\.\d\d", out)


@pytest.fixture(scope="module")
def llava(folder: Path, stock: Path) -> Path:
    """A tiny checkpoint where the README has a real one, and caches of the test's own."""
    (folder / "llava-1.5-7b").symlink_to(stock)
    return folder


@pytest.mark.parametrize("command", commands(" python -m lcl_lab.train", slow="--lora|odd.py"))
def test_training_commands_run(command: str, llava: Path) -> None:
    words = shlex.split(command.removeprefix("uv run python "))
    if "--neighbours" in words and not (llava / "pairs.jsonl").exists():
        mine(llava)
    run([*words, "--preset", "tiny", "--threads", "1"], llava)
    assert (llava / words[words.index("--out") + 1] / "card.json").is_file()


def mine(folder: Path) -> None:
    """The README's command for hard negatives, with fewer images a class."""
    (command,) = (c for c in COMMANDS if "lcl_lab.neighbours" in c)
    run([*shlex.split(command.removeprefix("uv run python ")), "--images", "1"], folder)


def test_hard_negatives_are_mined(llava: Path) -> None:
    if not (llava / "pairs.jsonl").exists():
        mine(llava)
    assert len((llava / "pairs.jsonl").read_text().splitlines()) == 900


def test_sharded_training_runs_where_accelerate_launches_it(llava: Path) -> None:
    (command,) = (c for c in COMMANDS if "accelerate launch" in c)
    words = shlex.split(command.removeprefix("uv run accelerate launch "))
    port = ["--main_process_port", "0", "--mixed_precision", "no"]
    run(["-m", "accelerate.commands.launch", *port, *words, "--preset", "tiny", "--threads", "1"], llava)
    assert (llava / "training" / "llava-full" / "card.json").is_file()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", [c for c in COMMANDS if "lcl_lab.zoo" in c and "table" not in c])
def test_zoo_commands_run(command: str, folder: Path) -> None:
    run([*shlex.split(command.removeprefix("uv run python ")), "--preset", "tiny", "--threads", "1"], folder)


def test_a_sweep_runs_and_the_file_shown_is_one(folder: Path, tmp_path: Path) -> None:
    (shown,) = (text for kind, text in BLOCKS if kind == "yaml")
    (tmp_path / "shown.yaml").write_text(shown)
    assert len(SweepConfig.from_file(tmp_path / "shown.yaml").trials()) == 4
    (command,) = (c for c in COMMANDS if c.endswith("tiny_grid.yaml"))
    out = run(shlex.split(command.removeprefix("uv run python ")), folder)
    marks = Path(folder, out.strip().splitlines()[-1], "trials").glob("*.json")
    assert len(list(marks)) == 4


def test_the_query_over_all_runs_works(folder: Path) -> None:
    (text,) = (text for kind, text in BLOCKS if kind == "python" and "connect(" in text)
    run(["-m", "lcl_lab.studies.false_ratio", "--preset", "tiny", "--queries", "4"], folder)
    assert "mini/2-way" in run(["-c", text], folder)


def test_every_command_is_run_by_one_of_these_tests() -> None:
    programs = (
        "lcl_lab.studies",
        "one_sided.py",
        "lcl_lab.power",
        "lcl_lab.sweep",  # as a job, and with a storage: tests/sweeps
        "lcl_lab.train",
        "lcl_lab.neighbours",
        "lcl_lab.zoo",
        "lcl_lab.models.convert_shikra",
        "lcl_lab.benchmarks.evaluator",
        "lcl_lab.benchmarks.sweep",
        "lcl_lab.benchmarks.dashboard",
        "dashboards/app.py",
    )
    run_above = [c for c in COMMANDS if any(program in c for program in programs)]
    assert set(COMMANDS) == {*run_above, "uv run pytest"}


def test_files_that_the_readme_names_are_there() -> None:
    for path in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / path).exists(), path
