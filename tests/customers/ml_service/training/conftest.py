"""Training as it is, but for one thing that takes long and that test_omission.py is about."""

import pytest

from customers.ml_service.training import omission


@pytest.fixture(scope="package", autouse=True)
def few_folds_without_each_field():
    """Two of the folds, and not five: fifty forests more in each of these tests would be a third of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(omission, "FOLDS", 2)
        yield
