"""What is installed from a wheel works in an empty folder, without the source checkout beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPIED = ("vbotd", "plugins", "skills", "pyproject.toml", "README.md", "LICENSE")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy of the sources, so that the checkout gets no build/ folder."""
    import shutil
    source = tmp_path_factory.mktemp("source")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("dist")
    # No isolation: the build would download its own setuptools, and a test needs no network.
    run(sys.executable, "-c", "import sys, setuptools.build_meta as build; print(build.build_wheel(sys.argv[1]))",
        str(out), cwd=source)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of scripts of an environment that has the wheel, and the libraries of this one."""
    place = tmp_path_factory.mktemp("env")
    venv.create(place, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = place / "lib" / version / "site-packages"
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-index",
        "--target", str(site), str(wheel), cwd=place)
    # Behind its own: the editable install of the checkout is a .pth file, which a .pth of ours does not follow.
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return place / "bin"


def run(*words: str, cwd: Path, code: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("VBOTD_", "PYTHONPATH", "VIRTUAL_ENV"))}
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def vbotd(installed: Path, empty: Path, *words: str, code: int = 0) -> str:
    return run(str(installed / "python"), "-m", "vbotd", *words, cwd=empty, code=code)


def test_the_wheel_has_what_is_needed_and_no_more(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("vbotd/__main__.py", "vbotd/py.typed", "vbotd/schemas/campaign.schema.json",
                   "vbotd_plugins/__init__.py", "vbotd/train/tasks/vbot.xml", "vbotd_skills/__init__.py"):
        assert wanted in names
    # Every module of the sources is there: a package that setuptools was not told of would be missing.
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "vbotd").rglob("*.py")}
    modules |= {"vbotd_" + str(path.relative_to(ROOT)) for path in (ROOT / "plugins").rglob("*.py")}
    modules |= {"vbotd_" + str(path.relative_to(ROOT)) for path in (ROOT / "skills").rglob("*.md")
                if path.name == "SKILL.md"}
    assert modules <= set(names), sorted(modules - set(names))
    assert {name.split("/")[0].split("-")[0] for name in names} == {"vbotd", "vbotd_plugins", "vbotd_skills"}


def test_it_is_the_wheel_that_is_tested(installed: Path, tmp_path: Path):
    code = "import vbotd, vbotd_plugins; print(vbotd.__file__, vbotd_plugins.__file__)"
    where = run(str(installed / "python"), "-c", code, cwd=tmp_path)
    assert str(ROOT) not in where
    assert str(installed.parent) in where


def test_a_campaign_in_an_empty_folder(installed: Path, tmp_path: Path):
    vbotd(installed, tmp_path, "new", "vbot_walk_flat", "--name", "first")
    text = (tmp_path / "campaigns" / "first.yaml").read_text()
    schema = text.splitlines()[0].partition("$schema=")[2]
    assert (tmp_path / "campaigns" / schema).is_file()
    assert "ok" in vbotd(installed, tmp_path, "check", "campaigns/first.yaml")
    vbotd(installed, tmp_path, "submit", "campaigns/first.yaml", code=3)
    assert (tmp_path / "state" / "inbox" / "first.yaml").is_file()


def test_the_bundled_plugins_and_tasks_are_there(installed: Path, tmp_path: Path):
    said = json.loads(vbotd(installed, tmp_path, "plugins", "--json"))
    assert said["failures"] == []
    bundled = {path.parent.name for path in ROOT.glob("plugins/*/__init__.py")}
    assert bundled <= {plugin["name"] for plugin in said["plugins"]}
    assert "vbot_walk_flat" in vbotd(installed, tmp_path, "tasks")


def test_the_console_script_is_declared(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
    assert "vbotd = vbotd.__main__:main" in archive.read(name).decode()


def test_bench_says_where_it_is(installed: Path, tmp_path: Path):
    vbotd(installed, tmp_path, "bench", code=5)
