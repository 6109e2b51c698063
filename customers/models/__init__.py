"""Everything that is stored of the customers. ``customers.models.Customer`` and its like are found here."""

from customers.models.changes import FeedEpoch, ScoreChange
from customers.models.customer import (
    BY_RISK,
    LARGEST_CUSTOMER_ID,
    POSSIBLE_TIMES,
    Behaviour,
    Customer,
    CustomerQuerySet,
    is_current_by,
    is_stale,
)
from customers.models.imports import ImportBatch, ImportPiece, import_is_due
from customers.models.lives import Departure, HistoryExtent
from customers.models.monitoring import AuditFinding, AuditFindingQuerySet, DriftCheck, Outcome, OutcomesComplete
from customers.models.moves import MoveSearch, RecentMove
from customers.models.outreach import Contact, ControlGroup, WorklistItem
from customers.models.portfolio import PortfolioSnapshot
from customers.models.releases import (
    ACTIVE,
    ModelFile,
    ModelProposal,
    ModelRelease,
    ModelReleaseQuerySet,
    model_is_approved,
)
from customers.models.rescoring import (
    SAME_LIFE,
    SAME_VERSION,
    Exclusion,
    Pause,
    RescoreRequest,
    ScoringFailure,
    ScoringFailureQuerySet,
    StaleMark,
    is_excluded,
)
from customers.models.scores import ScoreRecord, UnscoredVersion
from customers.models.turns import Turn

__all__ = [
    "ACTIVE",
    "BY_RISK",
    "LARGEST_CUSTOMER_ID",
    "POSSIBLE_TIMES",
    "SAME_LIFE",
    "SAME_VERSION",
    "AuditFinding",
    "AuditFindingQuerySet",
    "Behaviour",
    "Contact",
    "ControlGroup",
    "Customer",
    "CustomerQuerySet",
    "Departure",
    "DriftCheck",
    "Exclusion",
    "FeedEpoch",
    "HistoryExtent",
    "ImportBatch",
    "ImportPiece",
    "ModelFile",
    "ModelProposal",
    "ModelRelease",
    "ModelReleaseQuerySet",
    "MoveSearch",
    "Outcome",
    "OutcomesComplete",
    "Pause",
    "PortfolioSnapshot",
    "RecentMove",
    "RescoreRequest",
    "ScoreChange",
    "ScoreRecord",
    "ScoringFailure",
    "ScoringFailureQuerySet",
    "StaleMark",
    "Turn",
    "UnscoredVersion",
    "WorklistItem",
    "import_is_due",
    "is_current_by",
    "is_excluded",
    "is_stale",
    "model_is_approved",
]
