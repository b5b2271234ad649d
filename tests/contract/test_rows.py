"""Every row of the registry keeps the contract.

A user's own file is held to the same: `pytest tests/contract/test_rows.py --variant=./my_gan.py`.
"""

import checks
import pytest
import support

from tfgans import registry


def pytest_generate_tests(metafunc):
    rows = metafunc.config.getoption("variant", None)
    rows = rows or [entry.name for entry in registry.list_variants()]
    # A row's tests stay together, on one worker, so that they share one traced model.
    grouped = [pytest.param(row, marks=pytest.mark.xdist_group(row)) for row in rows]
    metafunc.parametrize("subject", grouped, indirect=True, scope="module")


@pytest.fixture(scope="module")
def subject(request):
    return support.subject_of(request.param)


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__[6:])
def test_row(subject, check):
    check(subject)


@pytest.mark.parametrize("policy", checks.HALF)
def test_half_precision(subject, policy):
    checks.check_precision(subject, policy)
