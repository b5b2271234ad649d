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
    if "scheme" in metafunc.fixturenames:  # the first row of each class
        rows = list({registry.load(name).model: name for name in reversed(rows)}.values())
    # A row's tests stay together, on one worker, so that they share one traced model.
    grouped = [pytest.param(row, marks=pytest.mark.xdist_group(row)) for row in rows]
    name = "scheme" if "scheme" in metafunc.fixturenames else "subject"
    metafunc.parametrize(name, grouped, indirect=True, scope="module")


@pytest.fixture(scope="module")
def subject(request):
    return support.subject_of(request.param)


@pytest.fixture(scope="module")
def scheme(request):
    return support.subject_of(request.param)


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__[6:])
def test_row(subject, check):
    check(subject)


@pytest.mark.parametrize("policy", checks.HALF)
def test_row_in_half_precision(subject, policy):
    checks.check_precision(subject, policy)


def test_scheme_traced_in_half_precision(scheme):
    checks.check_traced_precision(scheme, "mixed_float16")  # whose losses are scaled


def test_scheme_heeds_its_options(scheme):
    checks.check_options_matter(scheme)
