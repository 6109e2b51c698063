"""Training as it is, but in one thread, and without most of what takes long and test_omission.py is about."""

import pytest
from joblib import parallel_config

from customers.ml_service.training import omission


@pytest.fixture(scope="package", autouse=True)
def few_folds_without_each_field():
    """Two of the folds, and not five: fifty forests more in each of these tests would be a third of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(omission, "FOLDS", 2)
        yield


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Each thread in which scikit-learn fits trees sets the warning filters anew. These are the process's, and threads
    may leave them empty: then scikit-learn warns of that, and no warning is an error any more."""
    with parallel_config(backend="sequential"):
        yield
