"""Field types that several tools share: ids, dates and money in the one form each of them has."""

from typing import Annotated

from pydantic import Field

AccountId = Annotated[str, Field(pattern=r"^AC-[0-9]{4,8}$")]
ChargeId = Annotated[str, Field(pattern=r"^CH-[0-9]{4,8}-[0-9]{2,4}$")]
InvoiceId = Annotated[str, Field(pattern=r"^IN-[0-9]{6}-[0-9]{4,8}$")]
EmailAddress = Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+$", max_length=254)]

IsoDate = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")]

# Above this, SQLite and most ledgers still hold the number and no customer's invoice ever has it.
_MOST_CENTS = 10**12

Cents = Annotated[
    int, Field(ge=0, le=_MOST_CENTS, description="Minor units of the currency: cents, pence, öre, and whole yen")
]
PositiveCents = Annotated[int, Field(gt=0, le=_MOST_CENTS, description="Minor units of the currency, more than none")]
BasisPoints = Annotated[int, Field(ge=0, le=10_000, description="Hundredths of a percent: 300 is 3 %")]
Version = Annotated[int, Field(ge=1, description="Raised by the billing system with every change of the record")]
Quantity = Annotated[int, Field(gt=0, le=100_000)]

SupplierId = Annotated[str, Field(pattern=r"^SU-[0-9]{4,8}$")]
OfferId = Annotated[str, Field(pattern=r"^OF-[0-9]{4,8}-[0-9]{2,4}$")]
OrderId = Annotated[str, Field(pattern=r"^PO-[0-9A-F]{12}$")]
CostCentreId = Annotated[str, Field(pattern=r"^CC-[0-9]{4,8}$")]
BankAccount = Annotated[str, Field(pattern=r"^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$", description="IBAN, without spaces")]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$", description="The case behind an order")]
Person = Annotated[str, Field(min_length=1, max_length=120)]

Money = Annotated[
    str, Field(pattern=r"^[0-9]{1,10}\.[0-9]{2}$", description="A sum as a decimal with two places, as in 158.90")
]
SignedMoney = Annotated[
    str, Field(pattern=r"^-?[0-9]{1,10}\.[0-9]{2}$", description="As Money; below zero the customer gets it back")
]
ShopCustomerId = Annotated[str, Field(pattern=r"^[a-z]+(?:_[a-z]+)*_[0-9]{3,6}$")]
ShopOrderId = Annotated[str, Field(pattern=r"^#W[0-9]{7}$", description="With its #, as in #W0012345")]
ProductId = Annotated[str, Field(pattern=r"^[0-9]{10}$", description="A kind of thing, which has several items")]
ItemId = Annotated[str, Field(pattern=r"^[0-9]{10}$", description="One variant of a product")]
PaymentMethodId = Annotated[str, Field(pattern=r"^(?:credit_card|paypal|gift_card)_[0-9]{7}$")]
AirPaymentId = Annotated[str, Field(pattern=r"^(?:credit_card|gift_card|certificate)_[0-9]{7}$")]
Airport = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="IATA code, as in JFK")]
FlightNumber = Annotated[str, Field(pattern=r"^[A-Z]{3}[0-9]{3}$", description="As in HAT001")]
ReservationId = Annotated[str, Field(pattern=r"^[A-Z0-9]{6}$", description="As in 8JX2WO")]
