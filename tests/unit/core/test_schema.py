"""The fields of a config that are part of a stage's key."""

from typing import Literal

from raft_exp.core.schema import KeyedWhenSet, Runtime, config_dataclass, identity


@config_dataclass
class Inner:
    size: int
    method: KeyedWhenSet[Literal["nf4"] | None] = None


@config_dataclass
class Outer:
    inner: Inner
    others: list[Inner]
    workers: Runtime[int]
    exact: KeyedWhenSet[bool] = False


def test_a_field_that_is_keyed_when_set_is_left_out_with_its_default():
    plain = Outer(Inner(1), [Inner(2)], workers=3)
    assert identity(plain) == {"inner": {"size": 1}, "others": [{"size": 2}]}
    assert identity(Outer(Inner(1, None), [Inner(2)], 4, exact=False)) == identity(plain)


def test_a_field_that_is_keyed_when_set_is_part_of_the_key_with_another_value():
    changed = Outer(Inner(1, "nf4"), [Inner(2, "nf4")], workers=3, exact=True)
    assert identity(changed) == {
        "inner": {"size": 1, "method": "nf4"},
        "others": [{"size": 2, "method": "nf4"}],
        "exact": True,
    }
