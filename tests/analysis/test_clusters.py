"""Clusters are numbered as sorting their names numbers them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lcl_lab.analysis.clusters import cluster_numbers, count_clusters

NAMES = np.random.default_rng(0).choice(["b|c", "a|é", "a|b", "Z", "10", "9"], size=200).astype(object)


@pytest.mark.parametrize("kind", [np.array, pd.Series, pd.Categorical, list, np.ndarray.tolist, pd.Index])
def test_names_of_any_type_are_numbered_in_their_order(kind: type) -> None:
    numbers = cluster_numbers(kind(NAMES))
    assert (numbers == np.unique(NAMES.astype(str), return_inverse=True)[1]).all()
    assert count_clusters(numbers) == 6


def test_numbers_keep_their_own_order_and_numbers_of_clusters_stay() -> None:
    clusters = np.array([10, 9, 9, 100])
    assert cluster_numbers(clusters).tolist() == [1, 0, 0, 2]
    assert cluster_numbers(cluster_numbers(clusters)).tolist() == [1, 0, 0, 2]


def test_a_cluster_is_compared_as_text_where_types_are_mixed() -> None:
    assert count_clusters(cluster_numbers(np.array([1, "1", "2"], dtype=object))) == 2


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_a_missing_cluster_is_an_error(missing: object) -> None:
    with pytest.raises(ValueError, match="no cluster"):
        cluster_numbers(pd.Series(["a", missing], dtype=object))
