"""Statistics compared with results by hand and with independent implementations."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from bench.ground import stats


def test_mean_is_over_values_not_over_speakers() -> None:
    interval = stats.mean_interval([1.0, 2.0, 3.0, 10.0], ["a", "a", "a", "b"])
    assert interval.mean == 4.0
    assert (interval.n, interval.n_clusters, interval.resampled) == (4, 2, "speaker")


def test_interval_of_two_equal_speakers_spans_their_means() -> None:
    # Draws of two speakers: aa (mean 1) and bb (mean 3) with probability 1/4 each, so the 2.5 % and
    # 97.5 % quantiles of the resampled means are 1 and 3 exactly.
    interval = stats.mean_interval([1.0, 1.0, 3.0, 3.0], ["a", "a", "b", "b"])
    assert (interval.mean, interval.low, interval.high) == (2.0, 1.0, 3.0)


def test_interval_agrees_with_all_draws_enumerated() -> None:
    values, speakers = [0.0, 1.0, 4.0, 6.0, 7.0], ["a", "a", "b", "c", "c"]
    groups = {"a": [0.0, 1.0], "b": [4.0], "c": [6.0, 7.0]}
    means = []
    for draw in itertools.product("abc", repeat=3):
        drawn = [value for speaker in draw for value in groups[speaker]]
        means.append(sum(drawn) / len(drawn))
    low, high = np.quantile(means, [0.025, 0.975], method="inverted_cdf")
    interval = stats.mean_interval(values, speakers, resamples=40_000)
    assert interval.low == pytest.approx(low, abs=0.15)
    assert interval.high == pytest.approx(high, abs=0.15)


def test_clips_are_drawn_if_all_are_of_one_speaker() -> None:
    values = list(np.random.default_rng(0).normal(5.0, 2.0, 200))
    interval = stats.mean_interval(values, ["only"] * 200)
    assert (interval.n_clusters, interval.resampled) == (1, "clip")
    half = 1.96 * float(np.std(values)) / math.sqrt(200)  # the normal approximation
    assert interval.low == pytest.approx(interval.mean - half, abs=0.05)
    assert interval.high == pytest.approx(interval.mean + half, abs=0.05)


def test_speakers_that_differ_widen_the_interval() -> None:
    values = [0.0] * 10 + [1.0] * 10 + [2.0] * 10
    speakers = ["a"] * 10 + ["b"] * 10 + ["c"] * 10
    clustered = stats.mean_interval(values, speakers)
    loose = stats.mean_interval(values, ["x"] * 30)
    assert clustered.high is not None
    assert clustered.low is not None
    assert loose.high is not None
    assert loose.low is not None
    assert clustered.high - clustered.low > 2 * (loose.high - loose.low)


def test_one_value_has_no_interval() -> None:
    interval = stats.mean_interval([3.0], ["a"])
    assert (interval.mean, interval.low, interval.high) == (3.0, None, None)
    assert interval.resampled == "none"
    assert not interval.excludes_zero


def test_the_same_arguments_give_the_same_interval_for_any_batch_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values, speakers = [float(i % 7) for i in range(50)], [str(i % 9) for i in range(50)]
    whole = stats.mean_interval(values, speakers, seed=4)
    assert whole == stats.mean_interval(values, speakers, seed=4)
    monkeypatch.setattr(stats, "_DRAWS_AT_ONCE", 9 * 100)
    assert whole == stats.mean_interval(values, speakers, seed=4)
    assert whole != stats.mean_interval(values, speakers, seed=5)


def test_an_empty_mean_and_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        stats.mean_interval([], [])
    with pytest.raises(ValueError, match="2 values but 1"):
        stats.mean_interval([1.0, 2.0], ["a"])


def test_wilcoxon_of_six_positive_differences_by_hand() -> None:
    # All six signs positive: the two-sided exact p value is 2 / 2^6.
    assert stats.wilcoxon([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == pytest.approx(2 / 64)


def test_wilcoxon_agrees_with_all_signs_enumerated() -> None:
    differences = [1.5, -0.5, 2.5, 3.5, -1.0]
    ranks = [3, 1, 4, 5, 2]
    seen = sum(r for r, d in zip(ranks, differences, strict=True) if d > 0)
    sums = [
        sum(r for r, sign in zip(ranks, signs, strict=True) if sign)
        for signs in itertools.product([0, 1], repeat=5)
    ]
    tail = min(sum(s >= seen for s in sums), sum(s <= seen for s in sums)) / 32
    assert stats.wilcoxon(differences) == pytest.approx(min(1.0, 2 * tail))


@pytest.mark.parametrize("count", [1, 2, 5, 8, 14])
def test_wilcoxon_is_scipys_with_ties_and_zeros(count: int) -> None:
    random = np.random.default_rng(count)
    for _ in range(4):
        tied = random.integers(-2, 4, size=count).astype(float)  # many equal, some 0
        for differences in (tied, tied + random.normal(size=count), tied + 10.0):
            if differences.any():
                expected = scipy.stats.wilcoxon(differences).pvalue
                assert stats.wilcoxon(list(differences)) == pytest.approx(expected, abs=1e-12)


def test_wilcoxon_of_no_difference_is_one() -> None:
    assert stats.wilcoxon([0.0, 0.0, 0.0]) == 1.0


def test_compare_uses_only_shared_cases() -> None:
    first = {"x": 3.0, "y": 5.0, "only first": 100.0}
    second = {"x": 1.0, "y": 1.0, "only second": -100.0}
    found = stats.compare(first, second, {"x": "a", "y": "b"})
    assert found is not None
    assert (found.difference.mean, found.difference.n) == (3.0, 2)
    assert found.difference.excludes_zero
    assert stats.compare({"x": 1.0}, {"y": 1.0}, {}) is None


def test_holm_by_hand() -> None:
    # Sorted: 0.01 x4, 0.02 x3, 0.03 x2, 0.5 x1; each at least as large as the one before it.
    adjusted = stats.holm([0.03, 0.01, None, 0.5, 0.02])
    assert adjusted == pytest.approx((0.06, 0.04, None, 0.5, 0.06))


def test_holm_never_exceeds_one_and_keeps_the_order() -> None:
    adjusted = [p for p in stats.holm([0.6, 0.4, 0.045, 0.044]) if p is not None]
    assert adjusted == pytest.approx([0.8, 0.8, 0.176, 0.176])
    assert max(p for p in stats.holm([0.9, 0.8, 0.7]) if p is not None) == 1.0


def test_shared_cases_are_those_with_all_values() -> None:
    assert stats.shared_cases([{"b": 1.0, "a": 1.0, "c": 1.0}, {"a": 2.0, "b": 0.0}]) == ("a", "b")
    assert stats.shared_cases([]) == ()


def test_methods_without_a_significant_difference_share_a_rank() -> None:
    assert stats.ranks("abc", ()) == {"a": 1, "b": 1, "c": 1}
    assert stats.ranks("abc", [("a", "b"), ("a", "c")]) == {"a": 1, "b": 2, "c": 2}
    assert stats.ranks("abc", [("a", "c"), ("b", "c")]) == {"a": 1, "b": 1, "c": 3}
    # a equals b and b equals c, yet a beats c: c ranks below, a and b share a rank.
    assert stats.ranks("abc", [("a", "c")]) == {"a": 1, "b": 1, "c": 2}


@pytest.mark.parametrize("seed", range(20))
def test_rank_one_is_given_and_its_methods_do_not_differ(seed: int) -> None:
    generator = np.random.default_rng(seed)
    names = [f"m{index}" for index in range(7)]
    order = generator.permutation(names)  # a difference of means is never circular
    told = [
        (better, worse)
        for better, worse in itertools.combinations(order, 2)
        if generator.random() < 0.3
    ]
    ranks = stats.ranks(names, told)
    first = {name for name, rank in ranks.items() if rank == 1}
    assert first
    assert not any(better in first and worse in first for better, worse in told)
    assert all(1 <= rank <= len(names) for rank in ranks.values())


@pytest.mark.parametrize("seed", range(10))
def test_noise_is_significant_as_rarely_as_the_level_says(seed: int) -> None:
    """Of 30 runs of 5 methods that differ only by chance, hardly any has a significant pair."""
    generator = np.random.default_rng(seed)
    cases = [f"c{index}" for index in range(24)]
    speakers = {case: f"s{index % 6}" for index, case in enumerate(cases)}
    found = 0
    for _ in range(3):
        values = {
            f"m{index}": dict(zip(cases, generator.normal(0, 1, 24).tolist(), strict=True))
            for index in range(5)
        }
        found += any(one.holds for one in stats.compare_all(values, speakers).values())
    assert found <= 1


def test_a_true_difference_is_found_and_corrected_over_all_pairs() -> None:
    generator = np.random.default_rng(0)
    cases = [f"c{index}" for index in range(12)]
    speakers = {case: f"s{index % 4}" for index, case in enumerate(cases)}
    values = {
        name: dict(zip(cases, (mean + generator.normal(0, 0.1, 12)).tolist(), strict=True))
        for name, mean in (("a", 1.0), ("b", 1.0), ("c", 2.0))
    }
    pairs = stats.compare_all(values, speakers)
    raw = [stats.wilcoxon([values[a][case] - values[b][case] for case in cases]) for a, b in pairs]
    assert [one.p_value for one in pairs.values()] == pytest.approx(stats.holm(raw))
    assert {names for names, one in pairs.items() if one.holds} == {("a", "c"), ("b", "c")}


def test_a_difference_needs_both_test_and_interval() -> None:
    def interval(low: float | None) -> stats.Interval:
        return stats.Interval(0.4, low, 0.9, 30, 3, "speaker")

    assert stats.Comparison(interval(0.1), 0.01).holds
    assert not stats.Comparison(interval(-0.1), 0.01).holds
    assert not stats.Comparison(interval(0.1), 0.06).holds
    assert not stats.Comparison(interval(None), 0.01).holds


@pytest.mark.parametrize(("hits", "count"), [(0, 5), (5, 5), (6, 6), (7, 8), (8, 8), (56, 60)])
def test_an_exact_share_has_clopper_and_pearsons_interval(hits: int, count: int) -> None:
    values = [index < hits for index in range(count)]
    found = stats.share_interval(values, ["one"] * count, exact=True)
    exact = scipy.stats.binomtest(hits, count).proportion_ci(method="exact")
    assert found.low is not None
    assert found.high is not None
    assert found.low <= exact.low + 1e-12
    assert found.high >= exact.high - 1e-12


def test_area_under_curve_by_hand_and_by_mann_and_whitney() -> None:
    found = stats.area_under_curve([3.0, 1.0], [2.0, 1.0], ["a", "b"])
    assert found.mean == (1 + 1 + 0 + 0.5) / 4
    generator = np.random.default_rng(3)
    first, second = generator.normal(1, 1, 40), generator.normal(0, 1, 40)
    speakers = [f"s{index % 8}" for index in range(40)]
    found = stats.area_under_curve(first.tolist(), second.tolist(), speakers)
    assert found.mean == pytest.approx(scipy.stats.mannwhitneyu(first, second).statistic / 1600)
    assert found.low is not None
    assert found.high is not None
    assert 0.5 < found.low < found.mean < found.high < 1.0
    # Pairs within a speaker agree better than others, yet the interval contains the mean.
    own = [2.0 + 0.2 * index for index in range(20)]
    found = stats.area_under_curve(own, [one - 1.0 for one in own], [f"s{i}" for i in range(20)])
    assert found.low is not None
    assert found.high is not None
    assert found.low + 0.02 < found.mean < found.high - 0.02
    assert stats.area_under_curve([1.0], [0.0], ["a"]).low is None
    with pytest.raises(ValueError, match="2 and 1 values"):
        stats.area_under_curve([1.0, 2.0], [0.0], ["a"])


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (1, 1), (0, 7), (7, 7), (3, 20), (59, 60)])
def test_a_share_has_wilsons_interval_if_all_clips_agree(hits: int, count: int) -> None:
    values = [index < hits for index in range(count)]
    found = stats.share_interval(values, ["one"] * count)
    wilson = scipy.stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert found.mean == pytest.approx(hits / count)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= wilson.low + 1e-12
    assert found.high >= wilson.high - 1e-12
    if hits in (0, count):  # the bootstrap's interval has no width here
        assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high))


def test_a_share_has_a_wider_interval_if_whole_speakers_disagree() -> None:
    hits = [True] * 30 + [False] * 10
    apart = stats.share_interval(hits, [f"s{index // 10}" for index in range(40)])
    mixed = stats.share_interval(hits, [f"s{index % 4}" for index in range(40)])
    assert apart.low is not None
    assert mixed.low is not None
    assert apart.low < mixed.low - 0.2


def test_a_ratio_of_means_resamples_both_sides_together() -> None:
    """Both sides move with the clip: 2 x in every clip is 2 with no width at all."""
    lower = [0.1, 0.4, 0.2, 0.9, 0.3, 0.5]
    speakers = ["a", "a", "b", "b", "c", "c"]
    found = stats.ratio_interval([2 * one for one in lower], lower, speakers)
    assert found.mean == pytest.approx(2.0)
    assert found.low == pytest.approx(2.0)
    assert found.high == pytest.approx(2.0)
    assert (found.n, found.n_clusters, found.resampled) == (6, 3, "speaker")


def test_a_ratio_of_means_is_no_mean_of_ratios() -> None:
    found = stats.ratio_interval([1.0, 1.0], [1.0, 3.0], ["a", "b"])
    assert found.mean == pytest.approx(0.5)  # 2 / 4, where the mean of 1 and 1/3 is 2/3
    assert (found.low, found.high) == pytest.approx((1 / 3, 1.0))
    assert stats.ratio_interval([1.0], [2.0], ["a"]).low is None
    of_clips = stats.ratio_interval([1.0, 1.0], [1.0, 3.0], ["a", "a"])
    assert of_clips.resampled == "clip"


@pytest.mark.parametrize("lower", [[-1.0, 1.0], [0.0, 0.0], [1.0]])
def test_a_ratio_below_whose_line_is_nothing_is_refused(lower: list[float]) -> None:
    with pytest.raises(ValueError, match=r"above 0|cluster names"):
        stats.ratio_interval([1.0, 2.0], lower, ["a", "b"])
