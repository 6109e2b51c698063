"""From the bytes of model.pkl to a fitted RandomForestClassifier, or a clear error. The one place that unpickles."""

import hashlib
import io
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import ModelClassError, ModelCorruptError, ModelMissingError, ModelVersionError

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

logger = logging.getLogger("vigilpay.model")


def read_bytes(path: Path) -> bytes:
    """Return the file's bytes; ModelMissingError when there is none or it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        message = f"there is no model file {path}; train one (`manage.py train_model`) or copy it there"
        raise ModelMissingError(message) from None
    except OSError as error:
        reason = error.strerror or error
        raise ModelMissingError(f"the model file {path} cannot be read ({reason}); check its permissions") from None


def sha256_of(data: bytes) -> str:
    """Return the hexadecimal SHA-256. Taken before unpickling: a pickle is code."""
    return hashlib.sha256(data).hexdigest()


def load_estimator(data: bytes) -> "RandomForestClassifier":
    """Unpickle and check the class. **Runs whatever code the pickle holds**: the caller has decided to trust it.

    The scikit-learn that wrote the file is told by the model's ``__sklearn_version__``.
    Raises ModelCorruptError, ModelVersionError or ModelClassError.
    """
    # Imported here, not above: web and worker processes score from the flat arrays and never pay for scikit-learn.
    import joblib
    import sklearn
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = joblib.load(io.BytesIO(data))
        except Exception as error:  # a broken pickle can raise anything
            _refuse(error, [w for w in caught if issubclass(w.category, InconsistentVersionWarning)])
    checked = _checked_class(model)
    checked.__sklearn_version__ = sklearn.__version__  # scikit-learn itself forgets it, and warns of another one only
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            checked.__sklearn_version__ = warning.message.original_sklearn_version
            logger.warning("model.pkl: %s", str(warning.message).split(". ")[0])
            break
    return checked


def _refuse(error: Exception, version_warnings: list[warnings.WarningMessage]) -> NoReturn:
    shown = f"{type(error).__name__}: {str(error)[:200]}"
    other_version = isinstance(error, ImportError | AttributeError) or "incompatible dtype" in str(error)
    if version_warnings or other_version:
        raise ModelVersionError(
            f"the model file was written by other library versions and cannot be loaded here ({shown}); "
            "dump the forest again with the scikit-learn of requirements.txt"
        ) from error
    raise ModelCorruptError(
        f"the model file is truncated or no joblib pickle ({shown}); copy it again from its source"
    ) from error


def _checked_class(model: Any) -> "RandomForestClassifier":
    from sklearn.ensemble import RandomForestClassifier  # late, as above

    if not isinstance(model, RandomForestClassifier):
        raise ModelClassError(f"the file holds a {type(model).__name__}, expected a fitted RandomForestClassifier")
    if not getattr(model, "estimators_", None):
        raise ModelClassError("the RandomForestClassifier is not fitted; call fit() before dumping it")
    model.n_jobs = None  # stored with the model; -1 makes threads for a single row
    return model
