import pytest

from fakes.api import Api


@pytest.fixture
def api() -> Api:
    return Api()
