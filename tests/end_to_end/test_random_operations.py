"""Random operations in bursts, against a model of what POSIX says. A failing seed repeats exactly."""

import pytest

from support.random_operations import Run


@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 100))])
def test_random_operations_do_what_posix_says(raw, remote, seed):
    run = Run(raw, remote, seed)
    for _ in range(400):
        run.step()
    run.finish()
