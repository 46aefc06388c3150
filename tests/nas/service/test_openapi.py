"""The API against its own OpenAPI document: whatever is sent, no answer is a failure of the service."""

import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings

EXAMPLES = 4
LONG = ("/events", "/preview", "/report")  # streams, and what takes seconds


def test_no_request_fails_the_service(admin: TestClient) -> None:
    schema = schemathesis.openapi.from_dict(admin.get("/api/v1/openapi.json").json())
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path.endswith(LONG):
            continue
        tried += 1

        @settings(
            max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            asked = case.as_transport_kwargs(base_url="http://127.0.0.1:8080")
            asked.pop("cookies", None)
            headers = {**admin.headers, **{k: str(v) for k, v in (asked.pop("headers", None) or {}).items()}}
            headers["authorization"] = admin.headers["authorization"]
            try:
                answer = admin.request(headers=headers, **asked)
            except (UnicodeEncodeError, ValueError):  # what no client can send
                return
            assert answer.status_code < 500, (asked, answer.text)
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == "application/problem+json"

        check()
    assert tried > 25
