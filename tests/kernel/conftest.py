"""The fixture `kernel`: each backend in turn."""

import pytest

from fpho.kernel import backend
from tests.kernel.backends import BACKENDS, SIMULATED

if SIMULATED:
    from tests.kernel.simulator import take_turns

    take_turns()


@pytest.fixture(params=BACKENDS)
def kernel(request):
    """A backend's module."""
    return backend(request.param)
