"""From the start of a process to its first score, beside joblib and scikit-learn on the same file."""

import subprocess
import sys
from collections.abc import Iterator

from tests.benchmarks.model.rounds import seconds, speedup
from tests.benchmarks.model.sizes import Sizes
from tests.benchmarks.model.subject import MODEL_PATH, Subject
from tests.benchmarks.report import Figure, milliseconds
from vigilpay.env import ROOT

FASTER = 5
OURS = "from customers.ml_service import predict_churn; predict_churn({customer!r})"
SCIKIT_LEARN = "import joblib; joblib.load({path!r}).predict_proba([{numbers!r}])"


def measure(subject: Subject, sizes: Sizes) -> Iterator[Figure]:
    ours = OURS.format(customer=subject.customers(1)[0])
    scikit_learn = SCIKIT_LEARN.format(path=str(MODEL_PATH), numbers=subject.numbers[0].tolist())
    yield speedup(
        "new process to first score / joblib and predict_proba",
        sizes.cold_rounds,
        lambda: seconds(run, ours),
        lambda: seconds(run, scikit_learn),
        milliseconds,
        at_least=FASTER,
    )


def run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
