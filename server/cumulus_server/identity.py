"""Whose jobs a request is about."""

from __future__ import annotations

from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider, User

#: The owner of every job on a server with one token: its users cannot be told apart.
SINGLE_OWNER = "local"


def owner_of(provider: IdentityProvider, user: User) -> str:
    """The owner's name for Jupyter's identity of a request.

    The stock providers give each token request an anonymous name of its own, so there everybody with
    the token is one owner. Any other provider names its users.
    """
    if type(provider) in (IdentityProvider, PasswordIdentityProvider):
        return SINGLE_OWNER
    return user.username
