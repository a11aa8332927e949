"""Fixtures that every test may use; the suite needs neither network nor the development data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked `slow`, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests are skipped, and counted, unless asked for: by --slow or by their own names."""
    if config.getoption("--slow") or any("::" in argument for argument in config.args):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(
                pytest.mark.skip(reason="slow: make test SLOW=1 runs it, as the CI does")
            )


def shared_folder() -> Path | None:
    """The development data: $BENCH_SHARED, else ../shared beside the checkout, else None."""
    named = os.environ.get("BENCH_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    return folder if folder.is_dir() else None


def shared_clips() -> list[str]:
    """The names of the development data's single clips; one that stands for them without."""
    folder = shared_folder()
    clips = [] if folder is None else sorted((folder / "data" / "clips").iterdir())
    return [path.name for path in clips] or ["all of them"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The development data; tests that ask for it are skipped, and counted, without it."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("development data not here (set BENCH_SHARED)")
    return folder


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache's folder `corpora`, in which a clip is rendered once for all processes of a session.

    Its clips depend on nothing but the code, and nobody changes them.
    """
    base = tmp_path_factory.getbasetemp()
    is_one_of_many = "PYTEST_XDIST_WORKER" in os.environ
    folder = (base.parent if is_one_of_many else base) / "corpora"
    folder.mkdir(exist_ok=True)
    return folder


def with_corpora(cache: Path, corpora: Path) -> Path:
    """A cache that finds the session's corpora, and is its own apart from these."""
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "corpora").symlink_to(corpora, target_is_directory=True)
    return cache


@pytest.fixture
def shares_corpora(own_cache: Path, corpora: Path) -> Path:
    """The test's own cache, with the session's corpora."""
    return with_corpora(own_cache, corpora)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives every test a cache of its own, so that no test sees another's or the user's files."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("BENCH_CACHE", str(folder))
    return folder
