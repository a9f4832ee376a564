"""Digest authentication of SIP requests (RFC 2617, MD5)."""

import hashlib
import re
import secrets


def _md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()


def authorization(challenge: str, method: str, uri: str, user: str, secret: str) -> str:
    """Answer a WWW-Authenticate or Proxy-Authenticate header."""
    asked: dict[str, str] = {
        name.lower(): quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', challenge)
    }
    realm, nonce = asked["realm"], asked["nonce"]
    ours, request = _md5(user, realm, secret), _md5(method, uri)
    fields = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
    bare = {"algorithm": "MD5"}
    if "auth" in asked.get("qop", ""):
        cnonce = secrets.token_hex(8)
        fields["cnonce"] = cnonce
        fields["response"] = _md5(ours, nonce, "00000001", cnonce, "auth", request)
        bare |= {"qop": "auth", "nc": "00000001"}
    else:
        fields["response"] = _md5(ours, nonce, request)
    if "opaque" in asked:
        fields["opaque"] = asked["opaque"]
    quoted_fields = [f'{name}="{value}"' for name, value in fields.items()]
    return "Digest " + ", ".join([*quoted_fields, *(f"{name}={value}" for name, value in bare.items())])
