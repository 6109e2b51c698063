"""From the bytes of model.pkl to a fitted model with a random forest in it, or a clear error. Unpickles alone."""

import hashlib
import io
import logging
import re
import warnings
from pathlib import Path
from typing import Any, NoReturn

from customers.ml_service.errors import (
    ModelClassError,
    ModelCorruptError,
    ModelError,
    ModelMissingError,
    ModelVersionError,
)
from customers.ml_service.forest.parts import parts_of

logger = logging.getLogger("vigilpay.model")

# How a file begins that is taken for a model.pkl, and what to do about it.
OTHER_FORMATS = {
    b"version https://git-lfs": "is a Git LFS pointer, not the file itself; fetch that with `git lfs pull`",
    b"<": "is a web page or XML; download the file itself",
    b"PK\x03\x04": "is a zip archive; unpack it, or have the forest dumped with joblib",
    b"\x89HDF": "is HDF5, as Keras writes it; VigilPay scores RandomForestClassifier, dumped with joblib",
    b"{": "is JSON, as XGBoost and others write it; VigilPay scores RandomForestClassifier, dumped with joblib",
    b"CBM1": "is a model of CatBoost; VigilPay scores RandomForestClassifier, dumped with joblib",
    b"tree\nversion=": "is a model of LightGBM; VigilPay scores RandomForestClassifier, dumped with joblib",
}
_CHECKSUM = re.compile("[0-9a-fA-F]{16,64}")
# Whose models are no forest of scikit-learn's, whatever version is installed.
_OTHER_LIBRARIES = (
    "autogluon", "catboost", "cuml", "daal4py", "h2o", "imblearn", "interpret", "keras", "lightgbm", "mlxtend", "onnx",
    "onnxruntime", "pycaret", "pyspark", "pytorch_tabnet", "skl2onnx", "sklearnex", "skorch", "statsmodels",
    "tensorflow", "torch", "tpot", "xgboost",
)  # fmt: skip


def read_bytes(path: Path) -> bytes:
    """Return the file's bytes.

    ModelMissingError when there is none or it cannot be read, ModelCorruptError when it begins like something else.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelMissingError(
            f"there is no model file {path}; train one (`manage.py train_model`) or copy it there"
        ) from None
    except OSError as error:
        raise ModelMissingError(
            f"the model file {path} cannot be read ({error.strerror or error}); check its permissions"
        ) from None
    for beginning, what in OTHER_FORMATS.items():
        if data[:64].lstrip().startswith(beginning):
            raise ModelCorruptError(f"the model file {path} {what}")
    return data


def read_expected(path: Path, sha256: str) -> bytes:
    """As `read_bytes`, of the file with this SHA-256 or beginning of one; of any file if it is empty.

    ModelError when it has less than 16 digits: another file that begins alike is found in minutes with eight digits, in
    many years with 16. ModelCorruptError when the file is another one.
    """
    data = read_bytes(path)
    if sha256 and not _CHECKSUM.fullmatch(sha256):
        raise ModelError(
            f"{sha256!r} is no checksum to rely on: give at least 16 hexadecimal digits of the file's SHA-256. "
            f"{path} was not opened"
        )
    if not sha256_of(data).startswith(sha256.lower()):
        raise ModelCorruptError(
            f"{path} has the SHA-256 {sha256_of(data)}, expected was {sha256}: damaged, or another file. "
            "It was not opened"
        )
    return data


def sha256_of(data: bytes) -> str:
    """Return the hexadecimal SHA-256. Taken before unpickling: a pickle is code."""
    return hashlib.sha256(data).hexdigest()


def load_estimator(data: bytes) -> Any:
    """Unpickle a model that `parts_of` takes. **Runs whatever code the pickle holds**: the caller decided to trust it.

    The model's ``__sklearn_version__`` is the scikit-learn that wrote the file.
    Raises ModelCorruptError, ModelVersionError or ModelClassError.
    """
    # Imported here, not above: web and worker processes score from the flat arrays and never import scikit-learn.
    import joblib
    import sklearn
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = joblib.load(io.BytesIO(data))
        except Exception as error:  # a broken pickle can raise anything
            _refuse(error, any(issubclass(w.category, InconsistentVersionWarning) for w in caught))
    parts_of(model).forest.n_jobs = None  # stored with the model; -1 makes threads for a single row
    others = [w.message for w in caught if isinstance(w.message, InconsistentVersionWarning)]
    # scikit-learn itself forgets the version, and warns of another one only.
    model.__sklearn_version__ = others[0].original_sklearn_version if others else sklearn.__version__
    if others:
        logger.warning("model.pkl: %s", str(others[0]).split(". ")[0])
    return model


def _refuse(error: Exception, warned_of_version: bool) -> NoReturn:
    shown = f"{type(error).__name__}: {str(error)[:200]}"
    _refuse_foreign(error)
    if warned_of_version or isinstance(error, ImportError | AttributeError) or "incompatible dtype" in str(error):
        raise ModelVersionError(
            f"the model file was written by other library versions and cannot be loaded here ({shown}); "
            "dump the forest again with the scikit-learn of requirements.txt"
        ) from error
    raise ModelCorruptError(
        f"the model file is truncated or no joblib pickle ({shown}); copy it again from its source"
    ) from error


def _refuse_foreign(error: Exception) -> None:
    """ModelClassError when the pickle needs what no version of our libraries has."""
    library = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if library in _OTHER_LIBRARIES:
        what = f"this is a model of {library}, or holds one"
    elif isinstance(error, AttributeError) and "__main__" in str(error):
        what = f"this model needs what only the notebook or script that dumped it has ({error})"
    else:
        return
    raise ModelClassError(f"{what}; VigilPay scores RandomForestClassifier: dump the fitted forest alone") from error
