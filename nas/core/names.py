"""The rule for run names, one place for the configuration, the run directory and the service."""

import re

from search_spaces.core.errors import WrongUse, shown

RUN_NAME_RULE = "[a-z0-9][a-z0-9._-]{0,63}"


def checked_run_name(name: str) -> str:
    """`name` itself where it is a valid run name; `WrongUse` with the rule and the nearest valid name otherwise."""
    if re.fullmatch(RUN_NAME_RULE, name):
        return name
    # The name becomes a folder: the rule keeps it inside its root and equal on every file system.
    nearest = re.sub(r"[^a-z0-9._-]+", "-", name[:1000].lower()).lstrip("._-")[:64].rstrip("-")
    hint = f"; try '{nearest}'" if nearest else "; try for example 'signs-1'"
    raise WrongUse(
        f"the run name {shown(name)} is not allowed: it starts with a lower-case letter or a digit, then come at most "
        f"63 of a-z, 0-9, '.', '_', '-' ({RUN_NAME_RULE}){hint}"
    )
