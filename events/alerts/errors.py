"""Why a message was not taken."""


class DeliveryError(Exception):
    """In words for staff; holds no secret."""
