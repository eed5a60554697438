"""What is taken out of texts, and what has to stay although it looks like it."""

import base64
import json
import time
from urllib.parse import quote

import ormsgpack
import pytest

from contracts.sensitive import find_keys, find_numbers, is_card_number, is_iban, mask
from contracts.tool import ToolModel
from engine.credentials.redactor import MASK, Redactor, is_maskable
from engine.gateway.prose import without_strays
from guards.keys import redact_keys, redact_sensitive
from tools.fields import BankAccount

SECRET = 'kx-9"Zq\\7/+\u00e4Lw2&mP'
PEM = "-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\n-----END PRIVATE KEY-----"
KEYS = {
    "OpenAI key": "sk-" + "proj-" + "a1B2c3D4e5F6g7H8i9J0",
    "Anthropic key": "sk-" + "ant-api03-" + "a1B2c3D4e5F6g7H8i9J0",
    "AWS key id": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub token": "ghp" + "_" + "a" * 36,
    "Slack token": "xox" + "b-123456789012-abcdef",
    "Google key": "AIza" + "b" * 35,
    "Stripe key": "sk" + "_live_" + "4eC39HqLyjWDarjtT1",
    "JSON web token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w",
    "Gatehouse key": "gh" + "_0123abcd_" + "x" * 43,
    "private key": PEM,
}
CARDS = ["4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "3782 822463 10005"]
IBANS = ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "FR1420041010050500013M02606"]
STAY = [
    "4111111111111112",  # no check digit
    "9999999999999995",  # no issuer
    "41111111111111",  # no length of this issuer
    "order 2026112115300001",
    "1732203045123 1732203045124",  # milliseconds
    "OR-4111111111111111",  # part of a longer name
    "4111111111111111.50",  # a sum
    "4111-1111 1111-1111",  # nobody prints it so
    "0000000000000000",
    "DE89370400440532013001",
    "DE8937040044053201300",
    "SU12345678901234567890",
    "sk-learn and sk-short",
    "gh_issue_42",
    "https://shop.example/orders/1?at=12:30@noon",
    "the key is under the mat",
]


def knowing(*secrets: str) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.learn(secret)
    return redactor


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps({"a": SECRET}),
        json.dumps({"a": SECRET}, ensure_ascii=False),
        f"https://x/?q={quote(SECRET, safe='')}",
        base64.b64encode(SECRET.encode()).decode(),
        f"x{SECRET}y{SECRET}",
    ],
)
def test_a_known_secret_is_taken_out_in_every_form(written: str) -> None:
    redactor = knowing("another-secret-1", SECRET)

    for redacted in (redactor.exact(written), redactor.text(written), redactor.prose(written)):
        assert MASK in redacted
        assert SECRET not in redacted
        assert redactor.text(redacted) == redacted
    assert MASK.encode() in redactor.exact_bytes(written.encode())


def test_json_stays_json_and_packed_values_stay_readable() -> None:
    redactor = knowing(SECRET)
    value = {"a": [SECRET, "b" + SECRET], "n": 1}

    packed = redactor.in_place(ormsgpack.packb(value))

    assert json.loads(redactor.text(json.dumps(value))) == {"a": [MASK, "b" + MASK], "n": 1}
    assert ormsgpack.unpackb(packed)["n"] == 1
    assert SECRET.encode() not in packed


def test_a_secret_that_begins_with_another_is_masked_as_a_whole() -> None:
    assert knowing("hunter-number-2", "hunter-number-2-and-more").text("hunter-number-2-and-more!") == f"{MASK}!"


@pytest.mark.parametrize(
    ("value", "masked"), [("password", False), ("1234", False), ("s3cret-1", True), ("a" * 16, True)]
)
def test_a_plain_word_is_no_secret_that_could_be_looked_for(value: str, masked: bool) -> None:
    assert is_maskable(value) is masked
    assert (MASK in knowing(value).text(f"say {value}")) is masked


@pytest.mark.parametrize(("kind", "key"), KEYS.items())
def test_a_key_is_known_by_its_form(kind: str, key: str) -> None:
    assert [found.kind for found in find_keys(f'{{"a": "\\n{key}"}}')] == [kind]
    assert key not in knowing().text(f"the key {key} is here")
    assert redact_keys(f"it is {key}").findings == (kind,)


def test_a_password_in_an_address_is_taken_out_and_the_address_stays() -> None:
    assert mask("postgresql://me:p4ss-w0rd@db/x", find_keys) == "postgresql://me:[password in an address]@db/x"


@pytest.mark.parametrize("number", [*CARDS, *IBANS])
def test_card_numbers_and_ibans_are_taken_out(number: str) -> None:
    kind = "card number" if number in CARDS else "IBAN"

    assert mask(f"it is {number}, thanks", find_numbers) == f"it is [{kind}], thanks"
    assert redact_sensitive(number).text == f"[{kind}]"
    assert is_card_number(number) is (number in CARDS)
    assert is_iban(number) is (number in IBANS)


@pytest.mark.parametrize("text", STAY)
def test_business_data_that_merely_looks_like_it_stays(text: str) -> None:
    assert knowing(SECRET).prose(text) == text
    assert redact_sensitive(text).verdict == "pass"


def test_numbers_are_rarely_taken_for_cards() -> None:
    numbers = [str(10**15 + 7_919_393 * n) for n in range(20_000)] + [str(4 * 10**15 + n) for n in range(20_000)]

    taken = sum(is_card_number(number) for number in numbers)

    assert taken == pytest.approx(2_000, abs=100)  # one in ten of those that begin as a Visa card does, no other


class Payee(ToolModel):
    name: str
    account: BankAccount
    other: BankAccount | None
    notes: tuple[str, ...]


def test_a_reply_keeps_the_numbers_that_its_contract_types() -> None:
    said = f"pay {IBANS[0]} by {CARDS[0]}"
    reply = Payee(name="ACME", account=IBANS[0], other=IBANS[0], notes=(said, "4111111111111112"))

    cleaned = without_strays(reply)

    assert (cleaned.account, cleaned.other) == (IBANS[0], IBANS[0])
    assert cleaned.notes == ("pay [IBAN] by [card number]", "4111111111111112")
    assert without_strays(cleaned) is cleaned


def test_redacting_is_quick() -> None:
    redactor = knowing(*(f"secret-number-{n}-of-many" for n in range(50)))
    text = json.dumps([{"id": f"OR-{n:06}", "said": "Thank you, see https://shop.example/x"} for n in range(1_000)])
    best = min(_seconds(redactor, text) for _ in range(5))

    assert best / (len(text) / 1024) < 500e-6, "a generous bound: it takes 5 to 30 us a KB"


def _seconds(redactor: Redactor, text: str) -> float:
    began = time.perf_counter()
    redactor.text(text)
    return time.perf_counter() - began
