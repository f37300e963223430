"""Names that several files of the integration share."""

from enum import StrEnum

DOMAIN = "ai_router"
SUBENTRY_PROVIDER = "provider"


class Conf(StrEnum):
    """Keys of what is stored: the entry's options and the provider subentries' data."""

    # the router's options
    LOCAL_ONLY = "local_only"
    FAILOVER = "failover"
    TIMEOUT = "timeout"
    MAX_TOKENS = "max_tokens"
    UNKNOWN_PRICE_HOLD = "unknown_price_hold"

    # a provider
    KIND = "kind"
    URL = "url"
    CREDENTIAL = "credential"
    LOCAL = "local"
    PRIORITY = "priority"
    MODELS = "models"
    OPTIONS = "options"

    # both
    BUDGET_DAY = "budget_day"
    BUDGET_MONTH = "budget_month"
    REQUESTS_PER_MINUTE = "requests_per_minute"
