"""Every command of the documentation is run, with a small preset where it is long."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from lcl_lab.concepts import ImageRef, load_dataset
from tests.docs.pages import COMMANDS, ROOT, last_line, options_in, run_command, write_files
from tests.hub import serve
from tests.models.flamingo.factories import write_openflamingo, write_otter
from tests.served import answering
from tests.servers import answers, free_port
from tests.sweeps.grids import wait_for

# Commands that no test of this folder runs as they are, and why.
NOT_RUN = {
    "pip install uv && uv run python -m lcl_lab.studies.false_ratio": "installs; its second part is run",
    "uv run pytest": "is running",
    "KILL_ROUNDS=3 uv run pytest": "takes half an hour; CI kills in one round",
    "uv audit --frozen": "needs the network; test_dependencies asks a database on this machine",
    "uv run pip-licenses": "test_dependencies runs it",
    "uv run mkdocs serve": "never ends; test_site builds the site",
    "ray job submit ": "needs a cluster; tests/sweeps/test_remote_cluster.py submits it to a local one",
    "accelerate launch ": "tests/training/test_trained_model.py launches it so",
    "lcl train --strategy 2-way --out training/on-workers --workers 2": "tests/training/test_worker_group.py trains so",
    "lcl train --strategy 2-way --start llava-1.5-7b --batch 32 --out training/llava-full": "so does that one",
    "lcl study false_ratio --model mini/2-way --workers 2": "tests/studies/test_workers.py runs it so",
    "lcl zoo train --out training/zoo": "tests/zoo/test_zoo_training.py trains tiny ones",
    "lcl zoo seeds --out training/seeds": "so does that one",
    "lcl zoo photo --out training/photo": "downloads; tests/training/test_photo_training.py trains tiny ones",
    "lcl sweep studies/search_grid.yaml": "tests/sweeps/test_searches.py kills and resumes it",
    "lcl sweep studies/tiny_grid.yaml --storage": "needs S3; tests/sweeps/test_storage.py runs it on a local server",
}
STUDY = re.compile(r"(lcl study |python -m lcl_lab\.studies\.)(?!all)(?!.*--help)")
STAND_IN = re.compile(
    r"--training|isekai:|vl-icl:|llava-hf/|openai:|folder:|mine=|parrot.py|colours.py|lcl-2way-weight"
)


def matching(pattern: str) -> list[str]:
    commands = [command for command in COMMANDS if re.search(pattern, command)]
    assert commands, f"no command matches {pattern}"
    return commands


STUDIES = [command for command in matching(STUDY.pattern) if not STAND_IN.search(command) and command not in NOT_RUN]
TINY = ("--preset", "tiny", "--queries", "4")
QUICK = {"lcl study false_ratio", "lcl study qualitative"}  # tests/studies run the others as well


def study_parameter(command: str) -> object:
    return pytest.param(command, marks=[] if command in QUICK else [pytest.mark.slow])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example files, in which all commands are run one after another."""
    folder = tmp_path_factory.mktemp("commands")
    write_files(folder)
    return folder


def test_every_command_is_run_or_has_a_reason() -> None:
    tested = (
        STUDY.pattern, "studies.all|lcl study all", "--help", "one_sided.py", "lcl power", "lcl report",
        "lcl mine", "lcl convert", "lcl train", "lcl paper",
        r"lcl sweep studies/(?!search)\w+_grid.yaml$", "lcl bench", "lcl dashboard|streamlit run",
        "docs/make_figures.py", "docs/make_pictures.py",
    )  # fmt: skip
    missing = [
        command
        for command in COMMANDS
        if not any(re.search(pattern, command) for pattern in tested) and not command.startswith(tuple(NOT_RUN))
    ]
    assert missing == []
    unused = [reason for reason in NOT_RUN if not any(command.startswith(reason) for command in COMMANDS)]
    assert unused == []


@pytest.mark.parametrize("command", matching("--help"))
def test_help_is_shown(command: str, folder: Path) -> None:
    assert "Usage: lcl" in run_command(command, folder)


@pytest.mark.parametrize("command", [study_parameter(command) for command in STUDIES])
def test_studies_run(command: str, folder: Path) -> None:
    options = TINY[2:] if "--preset" in command else TINY
    if "--register" in command:  # a run that another test has finished cannot be registered
        options = (*options, "--fresh")
    if "label_position_" in command:  # which have many prompts with random labels
        options = (*options, "--factorial", "24")
    if "shots_paper" in command:  # its model for 16 shots needs that condition
        options = (*options, "--shots", "0", "16")
    assert Path(last_line(run_command(command, folder, *options)), "report.html").is_file()


def test_the_first_command_runs(folder: Path) -> None:
    command = matching("^pip install uv")[0].split(" && ")[1]
    assert Path(last_line(run_command(command, folder, *TINY)), "report.md").is_file()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_studies_run_by_one_command(folder: Path) -> None:
    (command,) = matching("^lcl study all")
    assert Path(last_line(run_command(command, folder, "--preset", "tiny")), "report.html").is_file()


def test_a_study_in_a_file_runs(folder: Path) -> None:
    (command,) = matching("one_sided.py")
    report = Path(last_line(run_command(command, folder, "--queries", "4")), "report.md").read_text(encoding="utf-8")
    assert "python one_sided.py --queries 4" in report
    assert "| mini/2-way | candidate |" in report


@pytest.mark.parametrize("command", matching("colours.py|parrot.py"))
def test_studies_run_with_a_dataset_or_model_in_a_file(command: str, folder: Path) -> None:
    out = run_command(command, folder, *TINY)
    assert re.search("colours|parrot.py", Path(last_line(out), "report.md").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_sample_sizes_are_printed(folder: Path) -> None:
    conditions, figure, strategies = sorted(matching("lcl power"), key=len)
    assert (folder / last_line(run_command(figure, folder))).read_text(encoding="utf-8").startswith("<svg")
    assert re.search(r"1 +\d+ +\d+ +\d+", run_command(conditions, folder))
    assert re.search(r"10 +1 +\d+ +\d+ +\d+", run_command(strategies, folder))


def test_a_stored_run_is_reported_as_latex(folder: Path) -> None:
    (command,) = matching("lcl report")
    run = last_line(run_command("lcl study false_ratio", folder, *TINY))
    out = run_command(command.replace("results/false_ratio/TIME-HASH", run), folder)
    assert (folder / last_line(out) / "report.tex").is_file()


def write_photos(folder: Path) -> None:
    """`folder:photos`, as the page about datasets describes it."""
    world = load_dataset("isekai-mini")
    for pair in world.pairs[:2]:
        for concept in pair:
            (folder / "photos" / concept).mkdir(parents=True, exist_ok=True)
            for number in range(5):
                image = world.image(ImageRef(world.name, concept, number))
                image.save(folder / "photos" / concept / f"{number}.png")


@pytest.mark.parametrize(
    "command",
    [command for command in matching("--data folder:photos") if "study" in command and "llava" not in command],
)
def test_a_study_runs_on_a_folder_of_images(command: str, folder: Path) -> None:
    write_photos(folder)
    with_included_clip = re.sub(r"--clip \S+", "--clip mini/prototype", command)
    model = [] if "--model" in command else ["--model", "mini/prototype"]
    out = run_command(with_included_clip, folder, *TINY, *model)
    assert Path(last_line(out), "report.md").is_file()


@pytest.mark.slow
def test_a_study_runs_on_vl_icl_bench(tmp_path: Path) -> None:
    (command,) = matching("--data vl-icl:")
    names, world, entries = ("blicket", "dax", "shously", "perpo", "slation"), load_dataset("world-100"), []
    for number in range(2):
        ids = dict(zip(names, list(world.concepts)[5 * number :], strict=False))
        support = {name: {"images": [f"open_mi/support/{id}_{k}.jpg" for k in range(5)]} for name, id in ids.items()}
        query = f"open_mi/query/{ids['dax']}_5.jpg"
        entries.append({"id": f"open_mi_query_{number}", "image": [query], "answer": "dax", "support": support})
        for path in (query, *(path for shown in support.values() for path in shown["images"])):
            file = tmp_path / "VL-ICL" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            id, _, image = file.stem.partition("_")
            world.image(ImageRef(world.name, id, int(image))).save(file)
    (tmp_path / "VL-ICL" / "open_mi" / "query.json").write_text(json.dumps(entries))
    quick = command.replace("--queries 200", "--queries 4")
    report = Path(last_line(run_command(quick, tmp_path, "--preset", "tiny")), "report.md").read_text(encoding="utf-8")
    assert "vl-icl:VL-ICL/open_mi" in report
    assert "| mini/2-way | candidate |" in report


@pytest.mark.slow
def test_a_table_of_the_paper_runs_with_stand_ins(tmp_path: Path) -> None:
    (command,) = matching("lcl paper table2")
    out = run_command(command, tmp_path, "--preset", "tiny", "--queries", "8")
    assert "ImageNet-100: embedded models on world-100 stand in" in " ".join(out.split())
    assert "| ImageNet-100 | lcl | LCL [mix] | 2 |" in (tmp_path / last_line(out)).read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_protocol_of_the_release_runs(tmp_path: Path) -> None:
    (command,) = matching("--protocol release")
    world, lines = load_dataset("isekai-mini"), []
    for true, other in (*world.pairs[:2], *(pair[::-1] for pair in world.pairs[:2])):
        names = [world.concepts[id].name for id in (true, other)]
        files = [[f"{id}/{number}.png" for number in range(9)] for id in (true, other)]
        keys = ("image_name", "positive_list", "negative_list", "positive_promt", "negative_promt", "label_name")
        lines.append(dict(zip(keys, (files[0][8], files[0][:8], files[1][:8], *names, names[0]), strict=True)))
        for number in range(9):
            file = tmp_path / "data" / true / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            world.image(ImageRef(world.name, true, number)).save(file)
    (tmp_path / "data" / "ISEKAI-10.json").write_text("\n".join(map(json.dumps, lines)))
    report = Path(last_line(run_command(command, tmp_path)), "report.md").read_text(encoding="utf-8")
    assert "the first 4 queries of isekai:data/ISEKAI-10.json" in report
    assert "| mini/2-way-random | open-ended |" in report


@pytest.mark.slow
def test_heads_are_shown_over_a_training(tmp_path: Path) -> None:
    (train,), (study,) = matching("--snapshot-every"), matching("--training")
    run_command(re.sub(r"--snapshot-every \d+", "--snapshot-every 2", train), tmp_path, "--preset", "tiny")
    report = Path(last_line(run_command(study, tmp_path, *TINY)), "report.md")
    assert "## When heads appear" in report.read_text(encoding="utf-8")


def test_a_model_of_the_hub_is_evaluated(
    folder: Path, stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tiny LLaVA under the name of the real one, on a local server with the hub's protocol."""
    (command,) = matching("llava-hf/llava-1.5-7b-hf --data")
    write_photos(folder)
    with serve("llava-hf/llava-1.5-7b-hf", stock, tmp_path / "hub", monkeypatch):
        out = run_command(command, folder, *TINY)
    assert "llava-hf/llava-1.5-7b-hf" in Path(last_line(out), "report.md").read_text()


def test_a_model_behind_a_server_is_evaluated(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = matching("openai:")
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    with answering("a cactus") as address:
        command = command.replace("http://127.0.0.1:8000", address)
        out = run_command(command, folder, *TINY)
    assert "**openai:NAME**, open-ended" in Path(last_line(out), "report.md").read_text()


def test_released_weights_are_converted_and_evaluated(
    released: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    (command,) = matching("lcl convert LCL")
    shards, tower = released
    (tmp_path / "LCL_2WAY_WEIGHT").symlink_to(shards)
    run_command(command, tmp_path, "--vision-tower", str(tower))
    (command,) = matching("--model lcl-2way-weight")
    out = run_command(command, tmp_path, *TINY, "--shots", "2")
    assert "--images query-only" in Path(last_line(out), "report.md").read_text(encoding="utf-8")


def test_releases_of_openflamingo_and_otter_are_converted(tmp_path: Path) -> None:
    for pattern, write, family in (
        ("lcl convert OpenFlamingo", write_openflamingo, "mpt"),
        ("lcl convert OTTER", write_otter, "llama"),
    ):
        (command,) = matching(pattern)
        source, target, *options = shlex.split(command)[2:]
        (tmp_path / family).mkdir()
        release = write(tmp_path / family, family)
        (tmp_path / source).symlink_to(release.source)
        if options:
            (tmp_path / options[-1]).symlink_to(release.language_model)
        run_command(command, tmp_path, "--vision-tower", str(release.tower))
        assert (tmp_path / target / "processor_config.json").is_file()


@pytest.fixture(scope="module")
def neighbours(folder: Path, stock: Path) -> Path:
    """A tiny checkpoint under the name of the real one, and mined hard negatives."""
    (folder / "llava-1.5-7b").symlink_to(stock)
    (command,) = matching("lcl mine")
    run_command(command, folder, "--images", "1")
    return folder / "pairs.jsonl"


@pytest.mark.slow
def test_hard_negatives_are_mined(neighbours: Path) -> None:
    assert len(neighbours.read_text().splitlines()) == 900


def training_parameter(command: str) -> object:
    return pytest.param(command, marks=[pytest.mark.slow] if re.search("--start llava|odd.py", command) else [])


# `test_heads_are_shown_over_a_training` runs the one with snapshots, which are farther apart than the preset has steps.
TRAININGS = [command for command in matching("^lcl train") if not re.search("--snapshot-every|--workers", command)]


@pytest.mark.parametrize("command", [training_parameter(command) for command in TRAININGS])
def test_trainings_run(command: str, folder: Path, request: pytest.FixtureRequest) -> None:
    if "--neighbours" in command:
        request.getfixturevalue("neighbours")
    options = options_in(shlex.split(command))
    if "--tasks" in options:
        rows = map(json.loads, (folder / options["--tasks"]).read_text(encoding="utf-8").splitlines())
        (folder / options["--task-images"]).mkdir()
        for name in {name for row in rows for name in row.get("images", [])}:
            Image.new("RGB", (64, 48)).save(folder / options["--task-images"] / name)
    run_command(command, folder, "--preset", "tiny", "--threads", "1")
    assert (folder / options["--out"] / "card.json").is_file()


def test_a_trained_model_is_evaluated(folder: Path) -> None:
    (command,) = matching("--model mine=")
    if not (folder / "training" / "2-way").exists():
        run_command(matching("lcl train --strategy 2-way --out")[0], folder, "--preset", "tiny", "--threads", "1")
    out = run_command(command, folder, *TINY)
    assert "| mine | candidate |" in Path(last_line(out), "report.md").read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("command", matching(r"lcl sweep studies/(?!search)\w+_grid.yaml$"))
def test_a_sweep_runs(command: str, tmp_path: Path) -> None:
    file = tmp_path / command.split()[-1]
    file.parent.mkdir()
    grid = (ROOT / command.split()[-1]).read_text(encoding="utf-8")
    file.write_text(grid.replace("[0, 1]", "[0]").replace("[world-100, isekai-mini]", "[world-100]"))
    sweep = Path(tmp_path, last_line(run_command(command, tmp_path)))
    assert len(list((sweep / "trials").glob("*.json"))) == 2
    assert (sweep / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("command", matching("lcl dashboard .*--export"))
def test_the_dashboard_is_exported(command: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "dashboards" / "shipped" / "zero_shot", tmp_path / "results" / "zero_shot")
    assert last_line(run_command(command, tmp_path)) == "site/index.html"
    assert (tmp_path / "site" / "zero_shot.html").is_file()


@pytest.mark.parametrize("command", matching("lcl dashboard(?!.*--export)|streamlit run"))
def test_the_dashboard_starts(command: str, folder: Path) -> None:
    port = str(free_port())
    words = shlex.split(command.removeprefix("uv run "))
    write_photos(folder)
    if words[0] == "streamlit":
        server = ["--server.headless", "true", "--server.port", port, "--server.address", "127.0.0.1"]
        words, cwd = [sys.executable, "-m", *words[:3], *server], ROOT
    else:
        program = "from lcl_lab.commands import main; import sys; main(sys.argv[1:])"
        words, cwd = [sys.executable, "-c", program, *words[1:], "--headless", "--port", port], folder
    process = subprocess.Popen(words, cwd=cwd, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/_stcore/health"))
    finally:
        process.terminate()
        process.wait(30)


BENCHMARKS = {
    "architectures": (["--architectures", "llava", "pi0"], "2 architectures: 1 exact, 1 of them with shared prefixes"),
    "coverage": (["--methods", "change_of_strategy", "--replications", "20"], "72 *│"),
    "evaluator": (["--queries", "1", "--threads", "1", "--studies", "shots"], "floor"),
    "sweep": (["--trials", "2", "--steps", "2"], "2 workers compared to 1"),
    "workers": (["--queries", "4"], r"[1-9]\d* records: the same"),
    "dashboard": (["--records", "1", "--run-records", "1"], r"provenance +\d\.\d\d"),
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmarks_run(name: str, tmp_path: Path) -> None:
    options, pattern = BENCHMARKS[name]
    (command,) = matching(f"lcl bench {name}")
    program = "from lcl_lab.commands import main; import sys; main(sys.argv[1:])"
    words = [sys.executable, "-c", program, *shlex.split(command)[1:3], *options]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(pattern, done.stdout)


@pytest.mark.slow
def test_the_suite_writes_a_card(tmp_path: Path) -> None:
    (command,) = matching("lcl bench run")
    card = tmp_path / last_line(run_command(command, tmp_path, "--preset", "tiny"))
    assert card.is_file() and card.with_suffix(".html").is_file()


def test_the_leaderboard_is_that_of_the_cards(tmp_path: Path) -> None:
    cards = " ".join(map(str, sorted((ROOT / "docs" / "cards").glob("*.json"))))
    for command in matching("lcl bench compare"):
        page = tmp_path / last_line(run_command(command.replace("docs/cards/*.json", cards), tmp_path))
        if page.suffix == ".md":
            assert page.read_text(encoding="utf-8") == (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
        else:
            assert "mini/2-way" in page.read_text(encoding="utf-8")
