"""Whose jobs a request is about."""

from __future__ import annotations

from hmac import compare_digest

from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider, User

#: The owner of every job on a server with one token: its users cannot be told apart.
SINGLE_OWNER = "local"

_STOCK = (IdentityProvider, PasswordIdentityProvider)
_USER = User(SINGLE_OWNER, "Cumulus")


def user_of_token(provider: IdentityProvider, authorization: str) -> User | None:
    """The user of a request that shows the stock providers' token in its header; ``None`` for any other.

    Spares such a request the login cookie that Jupyter would sign for it: a program keeps no cookies.
    """
    scheme, _, token = authorization.partition(" ")
    if type(provider) in _STOCK and provider.token and scheme.lower() in ("bearer", "token"):
        if compare_digest(token.strip().encode(), str(provider.token).encode()):
            return _USER
    return None


def owner_of(provider: IdentityProvider, user: User) -> str:
    """The owner's name for Jupyter's identity of a request.

    The stock providers give each token request an anonymous name of its own, so there everybody with
    the token is one owner. Any other provider names its users.
    """
    if type(provider) in _STOCK:
        return SINGLE_OWNER
    return user.username
