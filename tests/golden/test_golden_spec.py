"""The spec refuses what cannot be, in words; and what it derives is what it says."""

import dataclasses
import json
import math
import re
from typing import Any

import numpy as np
import pytest

from hamming.golden.spec import AttentionSpec, exponential_table, power_of_two_table

#: A legal spec, from which each case strays in one field.
FIELDS: dict[str, Any] = {"d_head": 3, "d_value": 2, "n_keys": 5, "top_k": 4, "weights": (7, 5, 5, 0), "weight_bits": 3}


def spec_of(**change) -> AttentionSpec:
    return AttentionSpec.from_dict(FIELDS | change)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"d_head": 0}, ValueError, "d_head must be 1 to 4096, not 0"),
        ({"d_head": 3.0}, TypeError, "d_head must be an integer, not 3.0"),
        ({"d_head": True}, TypeError, "d_head must be an integer, not True"),
        ({"d_head": 4097}, ValueError, "d_head must be 1 to 4096, not 4097"),
        ({"d_value": 4097}, ValueError, "d_value must be 1 to 4096, not 4097"),
        ({"n_keys": 10**9}, ValueError, "n_keys must be 1 to 131072, not 1000000000"),
        ({"n_keys": 2**17, "top_k": 4097}, ValueError, "top_k must be 1 to 4096, not 4097"),
        ({"d_value": 0}, ValueError, "d_value must be 1 to 4096, not 0"),
        ({"d_value": "2"}, TypeError, "d_value must be an integer, not '2'"),
        ({"n_keys": 0}, ValueError, "n_keys must be 1 to 131072, not 0"),
        ({"top_k": 0}, ValueError, "top_k must be 1 to 5 (n_keys), not 0"),
        ({"top_k": 6}, ValueError, "top_k must be 1 to 5 (n_keys), not 6"),
        ({"value_bits": 1}, ValueError, "value_bits must be 2 to 16, not 1"),
        ({"value_bits": 17}, ValueError, "value_bits must be 2 to 16, not 17"),
        ({"weight_bits": 0}, ValueError, "weight_bits must be 1 to 32, not 0"),
        ({"weight_bits": 33}, ValueError, "weight_bits must be 1 to 32, not 33"),
        ({"out_frac_bits": -1}, ValueError, "out_frac_bits must be 0 to 58, not -1"),
        ({"out_frac_bits": None}, TypeError, "out_frac_bits must be an integer, not None"),
        ({"weights": "7550"}, TypeError, "weights must be a list of integers, not '7550'"),
        ({"weights": 7}, TypeError, "weights must be a list of integers, not 7"),
        ({"weights": (7, 5, 5)}, ValueError, "weights must have d_head + 1 = 4 entries, not 3"),
        ({"weights": (7, 5, 5, 0, 0)}, ValueError, "weights must have d_head + 1 = 4 entries, not 5"),
        ({"weights": (8, 5, 5, 0)}, ValueError, "weights[0] must be 0 to 7 (weight_bits 3), not 8"),
        ({"weights": (7, 5, 5, -1)}, ValueError, "weights[3] must be 0 to 7 (weight_bits 3), not -1"),
        ({"weights": (7, 5.0, 5, 0)}, TypeError, "weights[1] must be an integer, not 5.0"),
        ({"weights": (0, 0, 0, 0)}, ValueError, "weights[0], the weight of the best key, must be positive, not 0"),
        ({"weights": [(7, 5, 5, 0), (7, 5, 5)]}, ValueError, "weights[1] must have d_head + 1 = 4 entries, not 3"),
        (
            {"weights": [(7, 5, 5, 0), (7, 5, 6, 0)]},
            ValueError,
            "weights[1] must never rise, but weights[1][2] = 6 is above weights[1][1] = 5",
        ),
        ({"weights": [(7, 5, 5, 0), (9, 5, 5, 0)]}, ValueError, "weights[1][0] must be 0 to 7 (weight_bits 3), not 9"),
        ({"weights": [(7, 5, 5, 0), 7]}, TypeError, "weights[1] must be a list of integers, not 7"),
        ({"weights": [(7, 5, 5, 0)] * 257}, ValueError, "weights must be at most 256 tables, not 257"),
        ({"weights": ()}, ValueError, "weights must have d_head + 1 = 4 entries, not 0"),
        ({"n_sinks": 6}, ValueError, "n_sinks must be 0 to 5 (n_keys), not 6"),
        ({"n_sinks": -1}, ValueError, "n_sinks must be 0 to 5 (n_keys), not -1"),
        ({"weights": (7, 4, 5, 0)}, ValueError, "weights must never rise, but weights[2] = 5 is above weights[1] = 4"),
        (
            # 8 bits, 5 for 4 * 7 = 28, 49 and 2
            {"out_frac_bits": 49},
            ValueError,
            (
                "the accumulator is wider than supported: value_bits 8 + weight sum bits 5 + out_frac_bits 49 + 2 "
                "= 64, allowed 63; lower one of them, or top_k"
            ),
        ),
    ],
)
def test_impossible_spec_is_refused(change, error, text):
    spec_of()
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        spec_of(**change)


def test_longest_context_is_allowed():
    spec = spec_of(n_keys=2**17, top_k=2**12)
    assert (spec.n_keys, spec.top_k) == (131072, 4096)


def test_table_that_would_be_huge_is_refused_before_it_is_made():
    for weight_form in ("exponential", "power_of_two"):
        with pytest.raises(ValueError, match=r"^d_head must be 1 to 4096, not 1000000000000$"):
            AttentionSpec.from_logit_scale(
                d_head=10**12, d_value=1, n_keys=2, top_k=1, logit_scale=1, weight_form=weight_form
            )


def test_widest_accumulator_is_allowed():
    assert spec_of(out_frac_bits=48).numerator_bits == 63


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"logit_scale": -0.1}, ValueError, "logit_scale must be finite and 0 or more, not -0.1"),
        ({"logit_scale": math.inf}, ValueError, "logit_scale must be finite and 0 or more, not inf"),
        ({"logit_scale": math.nan}, ValueError, "logit_scale must be finite and 0 or more, not nan"),
        ({"logit_scale": "1"}, TypeError, "logit_scale must be a number, not '1'"),
        ({"logit_scale": True}, TypeError, "logit_scale must be a number, not True"),
        ({"d_head": 0}, ValueError, "d_head must be 1 to 4096, not 0"),
        ({"weight_bits": 40}, ValueError, "weight_bits must be 1 to 32, not 40"),
    ],
)
def test_impossible_table_is_refused(change, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        exponential_table(**{"d_head": 4, "logit_scale": 0.1, "weight_bits": 12} | change)


def test_table_by_hand():
    # 15 * exp(-2 t ln(2)/2) = 15 / 2**t: 15, 7.5, 3.75, 1.875, 0.9375; the tie 7.5 goes to the even 8.
    assert exponential_table(4, math.log(2) / 2, 4) == (15, 8, 4, 2, 1)


def test_table_without_scale_is_flat():
    assert exponential_table(3, 0, 12) == (4095,) * 4


def test_table_with_a_steep_scale_is_one_hot():
    assert exponential_table(3, 1e6, 12) == (4095, 0, 0, 0)


def test_table_of_powers_of_two_by_hand():
    # A scale of ln(2)/8 halves the exponential every 4 deficits: 0, 1/4, 1/2, ... halvings, and halves go up.
    assert power_of_two_table(10, math.log(2) / 8, 3) == (4, 4, 2, 2, 2, 2, 1, 1, 1, 1, 0)


def test_powers_of_two_are_nearest_in_the_logarithm():
    exact = [2**11 * math.exp(-2 * t * 0.03) for t in range(65)]
    for weight, ideal in zip(power_of_two_table(64, 0.03, 12), exact, strict=True):
        assert abs(math.log2(weight / ideal)) <= 0.5


def test_form_of_weights():
    fields: dict[str, Any] = {"d_head": 4, "logit_scale": 0.3, "d_value": 1, "n_keys": 2, "top_k": 1}
    spec = AttentionSpec.from_logit_scale(**fields, weight_form="power_of_two")
    assert spec.weights == power_of_two_table(4, 0.3)
    assert AttentionSpec.from_logit_scale(**fields, weight_form="exponential") == AttentionSpec.from_logit_scale(
        **fields
    )
    with pytest.raises(ValueError, match="weight_form must be one of exponential, power_of_two, not 'log'"):
        AttentionSpec.from_logit_scale(**fields, weight_form="log")


def test_widths_by_hand():
    spec = spec_of(value_bits=8, out_frac_bits=8)
    assert spec.matches_bits == 2  # 0 to 3
    assert spec.index_bits == 3  # 0 to 4
    assert spec.n_valid_bits == 3  # 0 to 5
    assert spec.weight_sum_bits == 5  # 4 * 7 = 28
    assert spec.acc_bits == 13  # 28 * -128 = -3584 to 3556, in 13 bits signed
    assert spec.numerator_bits == 23  # 512 * 3584 = 1,835,008 below 2**21, and the rounding's share
    assert spec.out_bits == 16


def test_one_key_still_has_an_index_bit():
    spec = spec_of(n_keys=1, top_k=1)
    assert (spec.index_bits, spec.n_valid_bits) == (1, 1)


def test_dict_and_back():
    spec = AttentionSpec.from_logit_scale(
        d_head=5, logit_scale=0.2, weight_bits=6, d_value=3, n_keys=9, top_k=2, value_bits=5, out_frac_bits=1
    )
    fields = json.loads(json.dumps(spec.to_dict()))
    # Without sinks and with one table it is what it was before there were any.
    assert set(fields) | {"n_sinks"} == {field.name for field in dataclasses.fields(AttentionSpec)}
    assert "n_sinks" not in fields
    assert AttentionSpec.from_dict(fields) == spec


def test_dict_of_sinks_and_tables_and_back():
    spec = AttentionSpec.from_logit_scale(d_head=2, logit_scale=(0.0, 9.0), d_value=3, n_keys=9, top_k=2, n_sinks=4)
    fields = json.loads(json.dumps(spec.to_dict()))
    assert fields["weights"] == [[4095, 4095, 4095], [4095, 0, 0]]
    assert fields["n_sinks"] == 4
    assert AttentionSpec.from_dict(fields) == spec
    assert len({spec, AttentionSpec.from_dict(fields)}) == 1


def test_tables():
    spec = spec_of(weights=[[7, 5, 5, 0], (6, 0, 0, 0), [1, 1, 1, 1]])
    assert spec.weights == spec.tables == ((7, 5, 5, 0), (6, 0, 0, 0), (1, 1, 1, 1))
    assert (spec.n_tables, spec.table_bits) == (3, 2)
    # One table alone is that table, however it is given.
    for one in ([[7, 5, 5, 0]], (7, 5, 5, 0), np.array([[7, 5, 5, 0]])):
        assert spec_of(weights=one).weights == (7, 5, 5, 0)
        assert spec_of(weights=one).tables == ((7, 5, 5, 0),)
        assert (spec_of(weights=one).n_tables, spec_of(weights=one).table_bits) == (1, 0)


def test_logit_scales_make_tables():
    fields: dict[str, Any] = {"d_head": 4, "d_value": 1, "n_keys": 2, "top_k": 1}
    for form, build in (("exponential", exponential_table), ("power_of_two", power_of_two_table)):
        spec = AttentionSpec.from_logit_scale(**fields, logit_scale=np.array([0.3, 0.1]), weight_form=form)
        assert spec.tables == (build(4, 0.3), build(4, 0.1))
    assert AttentionSpec.from_logit_scale(**fields, logit_scale=[0.3]).weights == exponential_table(4, 0.3)
    with pytest.raises(ValueError, match=r"^logit_scale must be one number or 1 to 256 of them, not 0$"):
        AttentionSpec.from_logit_scale(**fields, logit_scale=[])
    with pytest.raises(TypeError, match=r"^logit_scale must be a number, not 'a'$"):
        AttentionSpec.from_logit_scale(**fields, logit_scale=[0.1, "a"])


def test_dict_with_an_unknown_key_is_refused():
    with pytest.raises(ValueError, match=r"^unknown spec key 'topk'; known: d_head, d_value, .*, weights$"):
        AttentionSpec.from_dict({**FIELDS, "topk": 3})


def test_spec_is_hashable_and_frozen():
    assert len({spec_of(), spec_of()}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec_of().top_k = 2  # type: ignore[misc]


def test_dict_without_a_needed_key_is_refused():
    fields = {name: value for name, value in FIELDS.items() if name != "top_k"}
    with pytest.raises(
        ValueError, match=r"^missing spec key 'top_k'; needed: d_head, d_value, n_keys, top_k, weights$"
    ):
        AttentionSpec.from_dict(fields)
