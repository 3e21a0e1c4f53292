"""Logarithm, exponential and Mills ratio are right to a few units in the last place, everywhere."""

import numpy as np
import pytest

from pyorch.trading.elementary import EXP_MINIMUM, exponential, logarithm, mills_ratio

RELATIVE = 1.5e-15


def test_exponential_agrees_with_the_library_s_to_its_end() -> None:
    x = -np.concatenate([[0.0], np.geomspace(1e-300, -EXP_MINIMUM, 20_001)])
    np.testing.assert_allclose(exponential(x), np.exp(x), rtol=RELATIVE, atol=0)
    assert exponential(0.0) == 1.0
    assert exponential(-1e9) == exponential(EXP_MINIMUM) > np.finfo(np.float64).tiny


def test_logarithm_agrees_with_the_library_s_and_is_exact_at_one() -> None:
    x = np.concatenate([np.geomspace(1e-300, 1e300, 20_001), np.linspace(0.7, 1.5, 20_001)])
    np.testing.assert_allclose(logarithm(x), np.log(x), rtol=RELATIVE, atol=1e-300)
    assert logarithm(1.0) == 0.0
    assert logarithm(1.0 + 2**-52) == pytest.approx(2**-52, rel=1e-15)


def test_mills_ratio_agrees_with_scipy_from_the_centre_to_the_far_tail() -> None:
    from scipy.special import erfcx

    x = np.concatenate([np.linspace(0, 30, 20_001), np.geomspace(30, 1e6, 1001)])
    np.testing.assert_allclose(
        mills_ratio(x), np.sqrt(np.pi / 2) * erfcx(x * np.sqrt(0.5)), rtol=RELATIVE, atol=0
    )
