import pytest

from medr_jax.grading import dates
from medr_jax.grading.dates import Date

SAME_DAY = [
    "2020-03-04", "2020/03/04", "4 March 2020", "4th of March 2020", "March 4, 2020", "Mar. 4 2020",
    "4-Mar-2020", "2020 Mar 4", "on March 4th, 2020", "Wednesday, March 4, 2020",
    "2020-03-04T00:00:00Z", "March 4, 2020.",
]  # fmt: skip


@pytest.mark.parametrize("text", SAME_DAY)
def test_spellings_of_one_day(text):
    assert dates.parse(text) == Date(2020, 3, 4)


@pytest.mark.parametrize("text", ["March 2020", "2020-03", "Mar, 2020", "in March of 2020"])
def test_a_month(text):
    assert dates.parse(text) == Date(2020, 3)


def test_a_numeric_date_may_have_two_readings():
    assert dates.parse("25/12/2020") == dates.parse("12/25/2020") == Date(2020, 12, 25)
    two = dates.parse("03/04/2020")
    assert two.ambiguous and not two.states(Date(2020, 3, 4)) and not Date(2020, 4, 3).states(two)
    assert two.states(dates.parse("3/4/2020"))


@pytest.mark.parametrize(
    "text", ["2020-13-01", "31.31.2020", "before March 4, 2020", "March", "1990s", "2020-2021", ""]
)
def test_what_is_no_date(text):
    assert dates.parse(text) is None


def test_precision_goes_one_way():
    day, month, year = Date(2020, 3, 4), Date(2020, 3), Date(2020)
    assert day.states(month) and month.states(year) and day.states(day)
    assert not month.states(day) and not year.states(month)
    assert not Date(2020, 4, 4).states(month)
