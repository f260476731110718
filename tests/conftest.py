"""What all tests share."""

from pathlib import Path

import pytest

from .needs import lacking

TOP = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real observations beside the project; CI has it, a user's clone need not."""
    folder = TOP.parent / "shared" / "data"
    if not folder.is_dir():
        lacking(f"the real observations at {folder}")
    return folder


def pytest_collection_modifyitems(items):
    """Tests that use `shared_data` say so: `pytest -m "not data"` leaves them out."""
    for item in items:
        if "shared_data" in item.fixturenames:
            item.add_marker(pytest.mark.data)
