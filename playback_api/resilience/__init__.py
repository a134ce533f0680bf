"""What keeps a process standing when its neighbours fall: breakers, a retry budget, load shedding. No I/O."""

from playback_api.resilience.circuit_breaker import CircuitBreaker, CircuitState
from playback_api.resilience.load_shedder import LoadShedder, OverloadedError, Priority
from playback_api.resilience.retry_budget import RetryBudget

__all__ = ["CircuitBreaker", "CircuitState", "LoadShedder", "OverloadedError", "Priority", "RetryBudget"]
