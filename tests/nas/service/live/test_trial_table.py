import numpy as np
import pytest

from nas.core.trial import Trial
from nas.service.live.trial_table import TrialTable
from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Choice
from search_spaces.core.errors import FitnasError

CHOICES = (Choice("kernel", (3, 5)), Choice("width", (0.5, 1.0)))


def trial(number, options=None, state="complete", **metrics):
    return Trial(number, Architecture("toy", {}, options or {"kernel": 5, "width": 0.5}), state, metrics, seconds=0.5)


def table_of(*batches):
    table = TrialTable.empty(CHOICES)
    for batch in batches:
        table = table.with_trials([trial.architecture.id for trial in batch], batch)
    return table


def test_trials_stand_by_number_however_they_come():
    one, two, three = trial(0, macs=1), trial(1, macs=2, top1=0.5), trial(2, {"kernel": 3}, macs=3)
    for table in (table_of([one, two, three]), table_of([three], [one]).with_trials([two.architecture.id], [two])):
        assert table.numbers.tolist() == [0, 1, 2]
        assert table.ids == tuple(each.architecture.id for each in (one, two, three))
        assert table.metrics_of(1) == {"macs": 2, "top1": 0.5}
        assert table.option_values(0, np.arange(3)) == [5, 5, 3]
        assert table.option_values(1, np.arange(3)) == [0.5, 0.5, None]


def test_counts_stay_whole_and_what_is_missing_is_none():
    table = table_of([trial(0, macs=7, top1=1)], [trial(1, macs=8, top1=0.25), trial(2, state="failed")])
    everyone = np.arange(3)
    assert table.values("macs", everyone) == [7, 8, None]
    assert all(isinstance(value, int) for value in table.values("macs", everyone)[:2])
    assert table.values("top1", everyone) == [1.0, 0.25, None]
    assert table.metrics_of(2) == {}
    assert np.isnan(table.column("nothing")).all()


def test_an_option_that_the_space_has_not():
    with pytest.raises(FitnasError, match="trial 4 has the option 9"):
        table_of([trial(4, {"kernel": 9})])
