"""What the JSON view on freshness answers, for OpenAPI: by the name of its address."""

from customers.api.description import operation
from customers.api.schemas import schema_of
from events.freshness.answer import Freshness

OPERATIONS = {
    "freshness": operation("How fresh the scores are, as numbers.", schema_of(Freshness), (503,)),
}
