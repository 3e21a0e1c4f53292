"""The configuration is read with its limits, and what is wrong in it is found by file, line and key."""

from pathlib import Path

import pytest

from pyorch.contract.errors import UsageError
from pyorch.trading.config import bp100, default_path, load_config


def test_default_quotes_twenty_options_and_arms_the_literal_rule() -> None:
    config = load_config()
    assert config.option_count == 20
    literal = config.rules[0]
    assert [c.probability for c in literal.conditions] == [0.70, 0.70, 0.60]
    assert (literal.widen_bp, literal.size_cut_percent, literal.both_sides) == (15.0, 30, True)
    assert config.tick_nano == 100_000
    assert config.digest() == load_config(default_path()).digest()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "size_lots = 50",
            "size_lots = 0",
            r":\d+: Expected `int` >= 1 - at `\$.quoting.size_lots`",
        ),
        ("dwell_ms = 500", "dwel_ms = 500", r":\d+: .*unknown field `dwel_ms`"),
        ("probability = 0.60", "probability = 1.6", r":\d+: Expected .*<= 1.0"),
        (
            "strikes = 5",
            "strikes = 'many'",
            r":\d+: Expected `int`, got `str` - at `\$.universe.str",
        ),
        ("skew = [-0.05, -0.05]", "skew = [-0.05]", r"surface.skew: has 1 values for 2 expiries"),
        (
            "skew = [-0.05, -0.05]",
            "skew = [-0.05, -3.0]",
            r":\d+: surface.skew: skew at expiry 1: steeper than the wing; take less skew, or raise put_wing",
        ),
        (
            "atm_volatility = [0.55, 0.58]",
            "atm_volatility = [0.55, 0.25]",
            r":\d+: surface.atm_volatility: calendar at expiry 1, y = -4: total variance against the "
            r"expiry before -[\d.]+; raise the later expiry",
        ),
        (
            "put_wing = [0.9, 0.9]",
            "put_wing = [0.9, 9.0]",
            r":\d+: surface.put_wing: wing at expiry 1, y = -inf: slope of total variance \(limit 2\) "
            r"2\.49\d*; lower it",
        ),
        ("maximum_age_ms = 30000", "maximum_age_ms = -1", r":\d+: Expected `int` >= 0"),
        ('lot_btc = "0.1"', 'lot_btc = "-1"', r"quoting.lot_btc: '-1' is not a positive decimal"),
        ("minimum_size_lots = 1", "minimum_size_lots = 51", r"51 is above size_lots = 50"),
        (
            "widen_bp = 15.0",
            "widen_bp = 15.0\nexpires_within_days = 6",
            r"expires_within_days = 6 leaves no option, the nearest expiry is 7 days off; raise it",
        ),
        ("article-up", "article-down", r"the name is used twice"),
        ("fires_at_most_percent = 1.0", "", r"a condition has no probability"),
        ("[risk]", "[risk", r"not TOML: .*line \d+"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "my.toml"
    text = default_path().read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UsageError, match=message) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


def test_a_butterfly_is_reported_with_what_to_try(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    text = default_path().read_text()
    for old, new in (("[0.55, 0.58]", "[0.25, 0.25]"), ("[0.10, 0.10]", "[1.0, 1.0]")):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    line = next(i for i, x in enumerate(text.splitlines(), 1) if x.startswith("curvature"))
    message = (
        rf"my.toml:{line}: surface.curvature: butterfly at expiry 0, y = -1.25: g -0.0335\d; raise"
    )
    with pytest.raises(UsageError, match=message):
        load_config(path)


def test_the_line_is_that_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    lines = default_path().read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("quotes_burst"))
    lines[at] = "quotes_burst = -1"
    path.write_text("\n".join(lines))
    with pytest.raises(UsageError, match=rf"my.toml:{at + 1}: "):
        load_config(path)


def test_basis_points_become_hundredths_rounded_outward() -> None:
    assert [bp100(x) for x in (15.0, 0.29, 0.001, 0.0, 5.001)] == [1500, 29, 1, 0, 501]
