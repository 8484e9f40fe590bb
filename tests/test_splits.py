"""Splits that no other file can change, and folds that never tear a person apart."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssrlib.pictures import PICTURE_SUFFIXES
from ssrlib.splits import SPLITS, hash_split, person_folds, split_key, stable_fraction

NAMES = [f"{row:05d}A{row % 80:02d}.jpg" for row in range(3000)]


def test_the_hash_is_the_first_48_bits_of_sha256():
    # printf 00000a02 | sha256sum
    assert stable_fraction("00000a02") == 0xC8B428314495 / 2**48


@settings(deadline=None)
@given(st.text())
def test_the_hash_is_a_fraction(text):
    assert 0 <= stable_fraction(text) < 1
    assert f"{int(stable_fraction(text) * 2**48):012x}" == hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("100_1_0_20170112213001988.jpg.chip.jpg", "100_1_0_20170112213001988"),
        ("100_1_0_20170112213001988.jpg.chip.PNG", "100_1_0_20170112213001988"),
        ("55_0_0_20170116232725357jpg.chip.jpg", "55_0_0_20170116232725357jpg"),
        ("001A43a.JPG", "001a43a"),
        ("train/9.webp", "train/9"),
        ("01/nm9000001_rm1_1901-5-10_1970.jpg", "01/nm9000001_rm1_1901-5-10_1970"),
        ("23.5/me.jpg", "23.5/me"),
        ("drawn:0:17", "drawn:0:17"),
        ("Ame\u0301lie.jpg", "am\xe9lie"),  # a Mac may write the accent as a character of its own
        ("", ""),
    ],
)
def test_the_key_drops_formats_and_letter_case(name, key):
    assert split_key(name) == key


@settings(deadline=None)
@given(
    st.text(st.characters(codec="ascii"), min_size=1),
    st.lists(st.sampled_from([*PICTURE_SUFFIXES, ".chip", ".JPG"]), max_size=3),
)
def test_no_picture_suffix_changes_the_key(name, suffixes):
    assert split_key(name + "".join(suffixes)) == split_key(name) == split_key(name.upper())


def test_a_tenth_is_for_validation_and_a_tenth_for_testing():
    splits = hash_split(map(split_key, NAMES))
    assert set(splits) == set(SPLITS)
    for split in ("val", "test"):
        assert np.mean(splits == split) == pytest.approx(0.1, abs=3 * np.sqrt(0.1 * 0.9 / len(NAMES)))


@settings(deadline=None)
@given(st.sets(st.sampled_from(NAMES[:300]), min_size=1))
def test_a_split_depends_on_no_other_name(present):
    whole = dict(zip(NAMES[:300], hash_split(NAMES[:300]), strict=True))
    present = sorted(present)
    assert list(hash_split(present)) == [whole[name] for name in present]


def test_nothing_is_split_into_nothing():
    assert len(hash_split([])) == 0


people = st.lists(st.sampled_from(["001", "002", "003", "082", ""]), min_size=1)


@settings(deadline=None)
@given(people.filter(any))
def test_folds_test_every_known_person_once_and_train_on_all_others(identities):
    table = pd.DataFrame({"identity": identities}, index=[f"row {row}" for row in range(len(identities))])
    tested = []
    for identity, train_index, test_index in person_folds(table):
        assert set(table.loc[test_index, "identity"]) == {identity}
        assert identity not in set(table.loc[train_index, "identity"])
        assert len(train_index) + len(test_index) == sum(map(bool, identities))
        tested += list(test_index)
    assert sorted(tested) == sorted(table.index[table["identity"] != ""])


@pytest.mark.parametrize("table", [pd.DataFrame({"name": ["a"]}), pd.DataFrame({"identity": ["", ""]})])
def test_folds_need_people(table):
    with pytest.raises(ValueError, match="does not know who is in its pictures"):
        person_folds(table)
