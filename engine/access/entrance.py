"""Who a credential belongs to, be it an API key or a token of an identity provider."""

from dataclasses import dataclass

from contracts.errors import Unauthenticated
from engine.access.attempts import Attempts
from engine.access.issuers import Issuers
from engine.access.keys import Principal, authenticate
from engine.access.people import sign_in
from engine.access.tokens import looks_like_a_token
from engine.store.database import Database
from engine.store.scope import across_tenants


@dataclass(frozen=True)
class Entrance:
    """The one way in for credentials."""

    database: Database
    issuers: Issuers
    attempts: Attempts

    async def identify(self, credential: str, *, address: str, bearer: bool) -> Principal:
        """Whom a credential belongs to; only a `bearer` may be a token.

        Raises `Unauthenticated` without saying which part of a key was wrong, `TooManyAttempts` after many that were
        wrong, `IssuerUnavailable`.
        """
        self.attempts.require_allowed(credential, address)
        try:
            principal = await self._identified(credential, bearer=bearer)
        except Unauthenticated as error:
            self.attempts.failed(error.code, credential, address)
            raise
        self.attempts.succeeded(credential)
        return principal

    async def _identified(self, credential: str, *, bearer: bool) -> Principal:
        if bearer and self.issuers and looks_like_a_token(credential):
            return await sign_in(self.database, self.issuers, credential)
        with across_tenants("whose key it is"):
            async with self.database.reading() as conn:
                return await authenticate(conn, credential)
