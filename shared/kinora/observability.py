"""How functions log: structured lines through Powertools, each failure once, at the door. Used by every handler."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger

logger = Logger(service="kinora", level=os.environ.get("KINORA_LOG_LEVEL", "INFO"))


def observed(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Decorate a Lambda handler: the request id goes into every log line; what escapes is logged and raised again."""

    @wraps(handler)
    def door(event: Any, context: Any) -> Any:
        logger.append_keys(
            request_id=getattr(context, "aws_request_id", None), function=getattr(context, "function_name", None)
        )
        try:
            return handler(event, context)
        except Exception:
            logger.exception("the function failed")
            raise

    return door
