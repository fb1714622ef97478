"""What all tiers share."""

from __future__ import annotations

from httpx._config import DEFAULT_TIMEOUT_CONFIG as PATIENCE
from hypothesis import HealthCheck, settings

# By default hypothesis fails a case that takes more than 0.2 s, or that is long in the making:
# on a busy machine that says nothing of the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# Nor does an answer that takes more than httpx's 5 s. Clients copy these when they are made.
PATIENCE.connect = PATIENCE.read = PATIENCE.write = PATIENCE.pool = 60.0
