import pytest
import support


def pytest_addoption(parser):
    parser.addoption(
        "--variant",
        action="append",
        help="check these rows only: names of the registry, or files such as ./my_gan.py",
    )


@pytest.fixture(scope="session", autouse=True)
def _one_process():
    yield
    support.close_process()
