"""Requests as other people's clients send them: made from the document, not with the package."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from typing import Any

from itnio_nb import Account, Sandbox

SAMPLE: dict[str, Any] = {
    "groupName": "sipGroup",
    "phoneName": "sip-phone",
    "quantity": 30,
    "displayNum": "861000000",
    "appId": "4luaKsL2",
}


def ask(
    sandbox: Sandbox,
    body: dict[str, Any] | bytes,
    *,
    endpoint: str = "sipAdd",
    account: Account | None = None,
    secret: str | None = None,
    offset: int = 0,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Ask with headers made here, by the document, not by the package."""
    account = account or sandbox.account
    timestamp = str(int(time.time()) + offset)
    text = account.api_key + (secret or account.api_secret.reveal()) + timestamp
    signed = {"Sign": hashlib.md5(text.encode()).hexdigest(), "Timestamp": timestamp, "Api-Key": account.api_key}
    connection = http.client.HTTPConnection(sandbox.base_url.split("/")[2], timeout=5)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", f"/voice/{endpoint}", content, {**signed, **(headers or {})})
    response = connection.getresponse()
    assert response.status == 200
    answer: dict[str, Any] = json.loads(response.read())
    connection.close()
    assert list(answer) == ["status", "reason", "data"]
    assert isinstance(answer["status"], str)
    return answer


def ask_as(sandbox: Sandbox, account: Account, body: dict[str, Any]) -> dict[str, Any]:
    return ask(sandbox, body, account=account)


def browse(sandbox: Sandbox, path: str = "/", host: str | None = None, method: str = "GET") -> tuple[int, str, str]:
    """Ask as a browser asks; return status, content type and text."""
    connection = http.client.HTTPConnection("127.0.0.1", int(sandbox.base_url.split(":")[2].split("/")[0]), timeout=5)
    connection.request(method, path, headers={} if host is None else {"Host": host})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, response.getheader("Content-Type", ""), text
