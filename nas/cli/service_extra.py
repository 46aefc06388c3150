"""What the commands of the service need beyond the usual installation."""

import importlib.util

from search_spaces.core.errors import FitnasError

_PACKAGES = ("fastapi", "uvicorn", "httpx", "multipart", "prometheus_client")


def require_service(what: str) -> None:
    """`FitnasError` that names the extra where a package of the service is missing."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise FitnasError(f"{what} needs {', '.join(missing)}; type: pip install 'fitnas[service]'")
