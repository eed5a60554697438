"""The supplier register: who a supplier is, whether we may buy from them, and where they are paid."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.tool import Call, ToolModel, tool
from tools.fields import BankAccount, Country, IsoDate, SupplierId, Version


class SuppliersRequest(ToolModel):
    name: Annotated[str, Field(min_length=2, max_length=80)]
    """A name as somebody wrote it, or a supplier's id."""


class Tie(ToolModel):
    """Another supplier that has something in common with one."""

    supplier_id: SupplierId
    name: str
    shares: Literal["owner", "bank_account", "address"]
    sanctioned: bool


class Supplier(ToolModel):
    supplier_id: SupplierId
    name: str
    also_known_as: tuple[str, ...]
    country: Country
    standing: Literal["approved", "new", "blocked", "sanctioned"]
    """`new`: registered and not examined yet. `sanctioned`: on a sanctions list that binds us."""
    categories: tuple[str, ...]
    """What the supplier was approved for."""
    bank_account: BankAccount
    bank_account_since: IsoDate
    """Day on which the account was entered; a fresh change is how payments are diverted."""
    ties: tuple[Tie, ...]
    version: Version


class SuppliersReply(ToolModel):
    found: tuple[Supplier, ...]
    """Every supplier that the name may mean, by name or by any other name that the register knows."""


@tool(effect="read", scopes=("suppliers:read",), trusted=("found.supplier_id", "found.bank_account"))
async def find_suppliers(request: SuppliersRequest, call: Call) -> SuppliersReply:
    """Look up which suppliers a name may mean.

    None at all is an answer, not an error. The register knows former and trading names, and who shares an owner, a bank
    account or an address with whom.
    """
    return SuppliersReply.model_validate(await call.send("GET", "/suppliers", query={"name": request.name}))
