"""JSON views: parse, ask, answer."""

from django.http import HttpRequest, JsonResponse

from customers import insights, scoring
from customers.claims import CustomerBusyError
from customers.ml_service import InputError, ModelError
from customers.models import Customer
from customers.responses import error, reads_only


@reads_only
def analyze_customer(request: HttpRequest, customer_id: int) -> JsonResponse:
    """Score this customer now, store the score and answer with it."""
    try:
        score = scoring.analyze(customer_id)
    except Customer.DoesNotExist as missing:
        return error(404, str(missing))
    except CustomerBusyError as busy:
        return error(503, str(busy), **{"Retry-After": "1"})
    except ModelError as broken:
        return error(503, str(broken))
    except InputError as unknown:
        return error(422, unknown.message)
    return JsonResponse({"customer_id": customer_id, "churn_risk_score": score})


@reads_only
def customer_insights(request: HttpRequest, customer_id: int) -> JsonResponse:
    """The stored score, whether it is current, and what moves it."""
    try:
        return JsonResponse(insights.of_customer(customer_id))
    except Customer.DoesNotExist:
        return error(404, f"There is no customer {customer_id}.")
    except ModelError as broken:
        return error(503, str(broken))
    except InputError as unknown:
        return error(422, unknown.message)
