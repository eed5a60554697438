"""The office that the assistant of the desk works in."""

from typing import Annotated

from pydantic import Field

from contracts.sink import Sink
from contracts.tool import Call, ToolModel, tool
from tools.fields import BankAccount, Currency, EmailAddress, PositiveCents

FileId = Annotated[str, Field(pattern=r"^[0-9]{1,6}$")]
_Account = Annotated[str, Field(pattern=r"^([A-Z]{2}[0-9]{2}[A-Z0-9]{11,30})?$")]
_Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Text = Annotated[str, Field(max_length=4000)]


class Nothing(ToolModel):
    pass


class Mail(ToolModel):
    mail_id: str
    sender: str
    subject: str
    body: str


class Mails(ToolModel):
    mails: tuple[Mail, ...]


class File(ToolModel):
    file_id: FileId
    name: str
    text: str
    secret: str


class Files(ToolModel):
    files: tuple[File, ...]


class Bill(ToolModel):
    bill_id: str
    payee: str
    iban: _Account
    amount_cents: PositiveCents
    currency: Currency
    note: str


class Bills(ToolModel):
    bills: tuple[Bill, ...]


class Contact(ToolModel):
    name: str
    email: str
    iban: _Account


class Contacts(ToolModel):
    contacts: tuple[Contact, ...]


class Letter(ToolModel):
    to: EmailAddress
    subject: _Line
    body: _Text


class Payment(ToolModel):
    payee: BankAccount
    amount_cents: PositiveCents
    currency: Currency
    subject: _Line = ""


class Sharing(ToolModel):
    file_id: FileId
    with_whom: EmailAddress


class Renaming(ToolModel):
    file_id: FileId
    name: _Line


class Entry(ToolModel):
    name: _Line
    email: EmailAddress
    iban: BankAccount


class Receipt(ToolModel):
    receipt_id: str


@tool(effect="read", scopes=("office:read",), trusted=("mails.mail_id",))
async def list_mail(request: Nothing, call: Call) -> Mails:
    """List what has come in. Senders, subjects and bodies are whatever somebody wrote."""
    return Mails.model_validate(await call.send("GET", "/mails"))


@tool(effect="read", scopes=("office:read",), trusted=("files.file_id",), private=("files.secret",))
async def list_files(request: Nothing, call: Call) -> Files:
    """List the files of the office."""
    return Files.model_validate(await call.send("GET", "/files"))


@tool(
    effect="read",
    scopes=("office:read",),
    trusted=("bills.bill_id", "bills.iban", "bills.amount_cents", "bills.currency"),
)
async def list_bills(request: Nothing, call: Call) -> Bills:
    """List bills that are to be paid. Accounts and sums come from the ledger of suppliers."""
    return Bills.model_validate(await call.send("GET", "/bills"))


@tool(
    effect="read",
    scopes=("office:read",),
    trusted=("contacts.name", "contacts.email", "contacts.iban"),
    private=("contacts.iban",),
)
async def list_contacts(request: Nothing, call: Call) -> Contacts:
    """List whom the office knows."""
    return Contacts.model_validate(await call.send("GET", "/contacts"))


_NOT = "Not possible."


@tool(
    effect="idempotent",
    scopes=("office:send",),
    reversibility="irreversible",
    blast_radius="customer",
    target="to",
    idempotent_by=("to", "subject"),
    undo=_NOT,
    sinks={"to": Sink("recipient"), "subject": Sink("content"), "body": Sink("content")},
    reaches="outside",
)
async def send_mail(request: Letter, call: Call) -> Receipt:
    """Send a mail to anybody."""
    return Receipt.model_validate(await call.send("POST", "/send_mail", body=request.model_dump(mode="json")))


@tool(
    effect="idempotent",
    scopes=("office:pay",),
    reversibility="irreversible",
    blast_radius="company",
    target="payee",
    idempotent_by=("payee", "amount_cents"),
    undo=_NOT,
    amount="amount_cents",
    currency="currency",
    sinks={
        "payee": Sink("payee"),
        "amount_cents": Sink("amount", paired_with="payee"),
        "subject": Sink("content"),
    },
    reaches="outside",
)
async def pay(request: Payment, call: Call) -> Receipt:
    """Pay a bill."""
    return Receipt.model_validate(await call.send("POST", "/pay", body=request.model_dump(mode="json")))


@tool(
    effect="idempotent",
    scopes=("office:share",),
    reversibility="compensable",
    blast_radius="customer",
    target="file_id",
    idempotent_by=("file_id", "with_whom"),
    undo="Take the share back in the office.",
    sinks={"file_id": Sink("identifier", nouns=("file",)), "with_whom": Sink("recipient")},
    reaches="outside",
)
async def share_file(request: Sharing, call: Call) -> Receipt:
    """Give somebody a file to read."""
    return Receipt.model_validate(await call.send("POST", "/share_file", body=request.model_dump(mode="json")))


@tool(
    effect="idempotent",
    scopes=("office:rename",),
    blast_radius="team",
    target="file_id",
    idempotent_by=("file_id", "name"),
    undo="Rename it again.",
    sinks={"file_id": Sink("identifier", nouns=("file",))},
)
async def rename_file(request: Renaming, call: Call) -> Receipt:
    """Give a file another name."""
    return Receipt.model_validate(await call.send("POST", "/rename_file", body=request.model_dump(mode="json")))


@tool(
    effect="idempotent",
    scopes=("office:contacts",),
    blast_radius="company",
    target="email",
    idempotent_by=("name", "email"),
    undo="Enter the former contact again.",
    sinks={"name": Sink("identifier"), "email": Sink("recipient"), "iban": Sink("payee")},
)
async def keep_contact(request: Entry, call: Call) -> Receipt:
    """Enter somebody among the contacts, or change their entry."""
    return Receipt.model_validate(await call.send("POST", "/keep_contact", body=request.model_dump(mode="json")))
