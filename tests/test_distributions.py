"""Distances of sets of features: golden values, other people's formulas, intervals, memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm

import bench
from metrics.distributions.feature_rows import FeatureRows, check_equal_sets
from metrics.distributions.frechet import frechet_distance
from metrics.distributions.frechet_interval import frechet_with_interval
from metrics.distributions.kernel import kernel_distance, without_each_block
from metrics.distributions.resampling import GROUPS, groups_of, interval


def draw(rows: int, columns: int, *, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(rows, columns)) + shift).astype(np.float32)


def set_of(clips: list[np.ndarray]) -> FeatureRows:
    rows = FeatureRows()
    for clip in clips:
        rows.add(clip)
    return rows


@pytest.mark.shared
def test_golden_frechet_distances(shared: Path) -> None:
    arrays = np.load(shared / "golden" / "metrics.npz")
    expected = json.loads((shared / "golden" / "expected_metrics.json").read_text())
    x, y = arrays["fd_x"], arrays["fd_y"]
    few = frechet_distance(arrays["fd_few_x"], arrays["fd_few_y"])
    for package in ("torch_fidelity", "pytorch_fid"):
        assert frechet_distance(x, y) == pytest.approx(expected[f"fd_{package}"], rel=1e-6)
        assert few == pytest.approx(expected[f"fd_few_{package}"], rel=1e-6)
    assert few == pytest.approx(expected["fd_few_eigvals_form"], rel=1e-7)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("rows", "others"), [(60, 50), (2000, 1500), (60, 1500)])
def test_it_is_the_formula_with_a_matrix_root(rows: int, others: int) -> None:
    mixing = np.random.default_rng(9).normal(size=(20, 20))
    x, y = draw(rows, 20) @ mixing.astype(np.float32), draw(others, 20, seed=1, shift=0.5)
    first, second = (np.cov(side.astype(np.float64), rowvar=False) for side in (x, y))
    apart = np.square(x.mean(axis=0, dtype=np.float64) - y.mean(axis=0, dtype=np.float64)).sum()
    expected = apart + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(x, y, fast=True) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rows", [40, 2500])
def test_rows_that_do_not_count_do_not_count(rows: int) -> None:
    x, y = draw(rows, 20), draw(rows, 20, seed=1, shift=0.2)
    kept = np.random.default_rng(2).random(rows) < 0.7
    expected = frechet_distance(x[kept], y[kept])
    assert frechet_distance(x, y, kept=kept) == pytest.approx(expected, rel=1e-9)


def test_rows_of_one_column_by_hand() -> None:
    x = np.array([[0.0], [2.0]], np.float32)  # mean 1, variance 2
    y = np.array([[3.0], [7.0]], np.float32)  # mean 5, variance 8
    assert frechet_distance(x, y) == pytest.approx(16 + 2 + 8 - 2 * 4)


@pytest.mark.parametrize("rows", [5, 30, 200])
def test_a_set_is_no_distance_from_itself(rows: int) -> None:
    x = draw(rows, 30) * 20
    assert 0.0 <= frechet_distance(x, x.copy()) < 1e-6


def by_pairs(first: np.ndarray, second: np.ndarray) -> float:
    """The unbiased kernel distance as torch-fidelity sums it, pair by pair."""

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / len(x) + 1.0) ** 3)

    n = len(first)
    sides = [
        sum(k(x, y) for i, x in enumerate(side) for j, y in enumerate(side) if i != j)
        for side in (first, second)
    ]
    across = sum(k(x, y) for x in first for y in second)
    return sum(sides) / (n * (n - 1)) - 2 * across / n**2


def test_the_kernel_distance_is_the_sum_over_pairs() -> None:
    x, y = draw(23, 6).astype(np.float64), draw(23, 6, seed=1, shift=0.4).astype(np.float64)
    assert kernel_distance(x, y) == pytest.approx(by_pairs(x, y), rel=1e-9)
    blocks = np.arange(23) // 5
    kept = [blocks != each for each in range(5)]
    expected = [by_pairs(x[each], y[each]) for each in kept]
    np.testing.assert_allclose(list(without_each_block(x, y, blocks)), expected, rtol=1e-9)


@pytest.mark.shared
def test_the_kernel_distance_is_torch_fidelitys(shared: Path) -> None:
    """Its 0.4.0 gave this for the same features, with its own settings."""
    arrays = np.load(shared / "golden" / "metrics.npz")
    found = kernel_distance(arrays["fd_few_x"], arrays["fd_few_y"])
    assert found == pytest.approx(0.6863044324144871, rel=1e-9)


def test_many_features_are_compared_by_subsets() -> None:
    x, y = draw(1300, 4), draw(1300, 4, seed=1, shift=0.5)
    one_more = np.vstack([x, x[:1]]), np.vstack([y, y[:1]])
    whole = next(without_each_block(*one_more, last_alone(1301)))
    found = kernel_distance(x, y)
    assert found == pytest.approx(whole, rel=0.02)
    assert found == kernel_distance(x, y)


def last_alone(count: int) -> np.ndarray:
    """Blocks of which only the one that is left out first holds the last row."""
    blocks = np.zeros(count, int)
    blocks[:-1] = 1
    return blocks


def test_the_kernel_distance_has_no_bias_and_the_frechet_distance_has() -> None:
    drawn = [(draw(12, 8, seed=2 * k), draw(12, 8, seed=2 * k + 1)) for k in range(300)]
    kernels = np.array([kernel_distance(x, y) for x, y in drawn])
    assert abs(kernels.mean()) < 3 * kernels.std() / np.sqrt(len(kernels))
    assert np.mean([frechet_distance(x, y) for x, y in drawn]) > 1.0


def clips(count: int, seed: int, shift: float) -> list[np.ndarray]:
    """Clips of four features each, which resemble each other."""
    random = np.random.default_rng(seed)
    return [
        (random.normal(size=(1, 5)) + 0.3 * random.normal(size=(4, 5)) + shift).astype(np.float32)
        for _ in range(count)
    ]


def test_the_interval_covers_the_value_at_this_number_of_clips() -> None:
    """95 % of intervals should; each clip's reference resembles it, as a recording does."""
    found = []
    for seed in range(120):
        truth = clips(24, seed, 0.0)
        random = np.random.default_rng(1000 + seed)
        made = [clip + 0.5 + 0.4 * random.normal(size=clip.shape) for clip in truth]
        found.append(frechet_with_interval(set_of(made), set_of(truth)))
    values, low, high = np.array(found).T
    covered = np.mean((low <= values.mean()) & (values.mean() <= high))
    assert 0.88 <= covered <= 1.0
    assert (high - low).mean() < 2 * 2.6 * values.std()  # and they are no wider than they need be


def test_neighbours_share_a_group() -> None:
    assert groups_of(3).tolist() == [0, 1, 2]
    groups = groups_of(90)
    assert groups.max() == GROUPS - 1
    assert (np.diff(groups) >= 0).all()
    assert set(np.bincount(groups)) <= {4, 5}


def test_the_interval_of_a_mean_is_students() -> None:
    values = np.array([1.0, 4.0, 2.0, 7.0])
    without = [np.delete(values, place).mean() for place in range(4)]
    low, high = interval(values.mean(), without)
    reach = 3.182446 * values.std(ddof=1) / 2  # Student's t of 3 degrees of freedom
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), rel=1e-6)


def test_a_set_takes_no_memory_for_its_features() -> None:
    rows, clip = FeatureRows(), draw(15, 2048)
    rows.add(clip)
    tracemalloc.start()
    for _ in range(400):
        rows.add(clip)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 50_000  # of 49 MB
    assert rows.rows().shape == (401 * 15, 2048)
    np.testing.assert_array_equal(rows.rows()[-15:], clip)
    assert rows.places()[[0, 14, 15, -1]].tolist() == [0, 0, 1, 400]


def test_unequal_sets_have_no_distance() -> None:
    one, two = set_of([draw(3, 4)] * 2), set_of([draw(3, 4), draw(2, 4)])
    with pytest.raises(bench.Undefined, match=r"6 features of 2 clips .* 5 features of 2 clips"):
        check_equal_sets(one, two)
    with pytest.raises(bench.Undefined, match="at least 2 clips, got 1"):
        check_equal_sets(set_of([draw(3, 4)]), set_of([draw(3, 4)]))
    with pytest.raises(bench.Undefined, match="got 0"):
        check_equal_sets(set_of([]), set_of([]))
    short = set_of([draw(1, 4), draw(1, 4)])
    with pytest.raises(bench.Undefined, match="too few"):
        frechet_with_interval(short, short)
