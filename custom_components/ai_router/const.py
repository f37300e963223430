"""Names that several files of the integration share."""

from enum import StrEnum

DOMAIN = "ai_router"
SUBENTRY_PROVIDER = "provider"
SUBENTRY_POOL = "pool"
SUBENTRY_RULE = "rule"
CURRENCY = "USD"
MOST_DOLLARS = 1_000_000
"""More than any amount that a household enters."""

ROUTER_STRATEGIES = (
    "priority",
    "round_robin",
    "weighted",
    "random",
    "least_loaded",
    "fastest",
    "cheapest",
    "adaptive",
)
"""The ways to choose that need nothing more than providers; a pool may also experiment, a request name its target."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""The days that a week may begin with; their places are the core's numbers."""


class Conf(StrEnum):
    """Keys of what is stored: the entry's options and the subentries' data."""

    # the router's options
    STRATEGY = "strategy"
    AUTOMATIONS = "automations"
    LOCAL_ONLY = "local_only"
    FAILOVER = "failover"
    TIMEOUT = "timeout"
    MAX_TOKENS = "max_tokens"
    REASONING_TOKENS = "reasoning_tokens"
    UNKNOWN_PRICE_HOLD = "unknown_price_hold"
    HEALTH_INTERVAL = "health_interval"
    COMPLETED_EVENT = "completed_event"
    DELETE_DATA = "delete_data"
    EXACT_TOKENS = "exact_tokens"
    USER_BUDGETS = "user_budgets"
    LABEL_BUDGETS = "label_budgets"
    AT_CAP = "at_cap"
    ALERT_AT = "alert_at"
    WORST_CASE = "worst_case"
    WEEK_START = "week_start"
    CACHE = "cache"
    CACHE_MINUTES = "cache_minutes"
    CACHE_MEMORY = "cache_memory"
    CACHE_ON_DISK = "cache_on_disk"
    CACHE_DISK = "cache_disk"
    RETENTION_DAYS = "retention_days"
    PICTURE_SIZE = "picture_size"
    BREAKER_FAILURES = "breaker_failures"
    BREAKER_SECONDS = "breaker_seconds"
    BREAKER_LONGEST = "breaker_longest"
    BREAKER_RATIO = "breaker_ratio"
    BREAKER_GROWTH = "breaker_growth"
    BREAKER_PROBES = "breaker_probes"
    BREAKER_MODELS = "breaker_models"
    DEGRADED_ERRORS = "degraded_errors"
    UNHEALTHY_ERRORS = "unhealthy_errors"
    SLOW_SECONDS = "slow_seconds"

    # a provider
    KIND = "kind"
    URL = "url"
    CREDENTIAL = "credential"
    CREDENTIAL_SINCE = "credential_since"
    SECRETS = "secrets"
    EXTRA_HEADERS = "extra_headers"
    EXTRA_BODY = "extra_body"
    LOCAL = "local"
    PRIORITY = "priority"
    MODELS = "models"
    OPTIONS = "options"

    # its limits
    ENABLED = "enabled"
    WEIGHT = "weight"
    USERS = "users"
    REQUESTS_PER_MINUTE = "requests_per_minute"
    REQUESTS_PER_HOUR = "requests_per_hour"
    BURST = "burst"
    TOKENS_PER_MINUTE = "tokens_per_minute"
    CONCURRENT = "concurrent"
    CONNECT_TIMEOUT = "connect_timeout"
    FIRST_TOKEN_TIMEOUT = "first_token_timeout"  # noqa: S105  # seconds, no password
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"

    # of the router and of a provider; `attempts` and `max_cost` of a pool or a rule too
    ATTEMPTS = "attempts"
    RETRY_BASE = "retry_base"
    RETRY_LONGEST = "retry_longest"
    MAX_COST = "max_cost"

    # a pool
    MEMBERS = "members"
    FALLBACK = "fallback"

    # a rule
    WHEN = "when"
    POOL = "pool"
    PROVIDERS = "providers"

    # budgets of the router, of a provider, of a pool
    BUDGET_DAY = "budget_day"
    BUDGET_WEEK = "budget_week"
    BUDGET_MONTH = "budget_month"
    BUDGET_TOTAL = "budget_total"
    BUDGET_ONLY_WARNS = "budget_only_warns"
