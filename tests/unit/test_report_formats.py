"""Numbers on the page: true minus signs, digits that count, no NaN."""

import math

import pytest

from pyorch.app.arms import MarkOut
from pyorch.app.report.formats import duration, fixed, interval, percent, short, signed, us

NAN = float("nan")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (fixed(-1.25, 1), "−1.2"),
        (signed(0.5, 2), "+0.50"),
        (signed(NAN, 2), "–"),
        (percent(None), "–"),
        (percent(NAN), "–"),
        (percent(0.0), "0 %"),
        (percent(0.000312), "0.031 %"),
        (percent(0.1234), "12.3 %"),
        (percent(1.0), "100 %"),
        (percent(0.99999), "100 %"),
        (us(0.1234), "0.12 µs"),
        (us(12.34), "12.3 µs"),
        (us(1234.0), "1.2 ms"),
        (us(25_000.0), "25 ms"),
        (short(-12345.6), "−12,346"),
        (short(0.123), "0.12"),
        (duration(59.6), "60 s"),
        (duration(646.9), "10 min 46 s"),
        (interval(MarkOut(1, 3, 1.0, NAN, NAN, 0.0)), "[n = 3]"),
        (interval(MarkOut(1, 30, 1.0, -0.5, 2.25, 0.0)), "[−0.50, +2.25]"),
    ],
)
def test_number_looks_as_wanted(text: str, wanted: str) -> None:
    assert text == wanted


def test_a_rate_just_above_zero_is_not_shown_as_zero() -> None:
    assert percent(math.ldexp(1, -20)) not in ("0 %", "0.0 %")
