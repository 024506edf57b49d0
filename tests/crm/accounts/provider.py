"""A small OpenID Connect provider on loopback, at the outside edge of the tests."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "homecoming", "a secret of the tests"


class Provider:
    """Answers discovery, keys and tokens; `claims` overrides what its next token says."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.broken = ""
        self.forger: RSAKey | None = None
        self.seen: dict[str, dict[str, str]] = {}
        self.rotate()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                provider.answer(self, provider.documents().get(self.path))

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
                provider.answer(self, provider.token(form, self.headers["Authorization"] or ""))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def rotate(self) -> None:
        """Sign with another key from now on, and publish only that."""
        self.key = RSAKey.generate_key(2048, auto_kid=True)

    def answer(self, handler: BaseHTTPRequestHandler, body: Any) -> None:
        status = 500 if self.broken == "500" else 404 if body is None else 200
        text = b"<html>" if self.broken == "html" else json.dumps(body).encode()
        handler.send_response(status if body is None or self.broken else body.get("status", 200))
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def documents(self) -> dict[str, Any]:
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            },
            "/keys": {"keys": [self.key.as_dict(private=False)]},
        }

    def allow(self, address: str) -> str:
        """What the person's browser does at the provider: answers the address to come back to."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.seen)}"
        self.seen[code] = asked
        return f"/sign-in/oidc/back?code={code}&state={asked['state']}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        expected = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '%20')}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self.seen.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        right = authorization in {f"Basic {expected}", f"Basic {plain}"}
        if asked is None or not right or challenge != asked["code_challenge"]:
            return {"status": 400, "error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "42", "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": self.key.kid}
        return {
            "access_token": "opaque", "token_type": "Bearer", "expires_in": 300,
            "id_token": jwt.encode(header, claims, self.forger or self.key),
        }  # fmt: skip
