"""The dashboard's files as they are served."""

import re

import pytest
from fastapi.testclient import TestClient


def test_a_page_and_all_that_it_names_are_there(reader: TestClient) -> None:
    page = reader.get("/runs/any")
    assert page.status_code == 200
    for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        assert reader.get(name).status_code == 200, name
    script = reader.get("/static/app.js").text
    for name in re.findall(r'import\("\./([\w.]+)"\)', script):
        assert reader.get(f"/static/{name}").status_code == 200, name


@pytest.mark.parametrize("path", ["/", "/start", "/static/app.js", "/static/plotly.js"])
def test_what_is_known_is_not_sent_again_and_keeps_its_policy(reader: TestClient, path: str) -> None:
    first = reader.get(path)
    again = reader.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    # a browser takes over the headers of the second answer
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["no.js", "__init__.py", "..%2fpages.py", "index.html%00"])
def test_nothing_else_is_served(reader: TestClient, name: str) -> None:
    assert reader.get(f"/static/{name}").status_code in (400, 404)
