"""What the assistant may do for a traveller, who decides what it may not, and who answers for it."""

from contracts.policy import (
    Bound,
    Budget,
    Condition,
    Duties,
    Guarded,
    Level,
    Policy,
    Queue,
    Rule,
    above,
    allow,
    deny,
    deny_unless,
    differs,
    equals,
    require_approval,
)
from contracts.tool import AnyTool
from graphs.booking.evidence import EVIDENCE
from graphs.booking.wishes import EVERY, WRITES
from guards.calls import STANDARD
from guards.card_numbers import redact_card_numbers
from tools import airline_customers, airline_desk, airline_flights, airline_reservations

HOUR_S = 3600
DAY_S = 24 * HOUR_S
CAPACITY = 1000
"""Cases of a tenant that may wait or be on their way: about what its reviewers decide in a day."""
LEAD, ADMINISTRATOR = "travel_lead", "administrator"

REFUNDED_UP_TO = "2000.00"
"""What a cancellation may give back without a person, in dollars."""
BOOKED_UP_TO = "2500.00"
"""What a booking may cost without a person."""
DIFFERENCE_UP_TO = "1000.00"
"""What changed flights may cost more or less without a person."""
GIVEN_UP_TO = "100.00"
"""What a certificate may be worth without an administrator."""
MOST_PASSENGERS = 5

_OWN = ("own", True, "Only the customer whom this case has identified, and only their own reservations.")
_AS_READ = ("as_read", True, "It was not read in this case as it stands now.")
_BOOKED = ("status", "booked", "The reservation is cancelled already.")
_UNUSED = ("unused", True, "A flight of it was flown already: a person has to help.")
_SUM = ("right_sum", True, "The sum is not what was read comes to.")
_METHOD = ("own_method", True, "Every payment method must be in the customer's profile.")
_NO_CERTIFICATE = ("no_certificate", True, "Changes are paid with a credit card or a gift card.")
_COVERED = ("covered", True, "There is not enough on a gift card or certificate.")
_SEATS = ("available", True, "A flight cannot be booked, or has too few seats left in this cabin.")
_BAGS = ("right_bags", True, "The paid bags are not those beyond what membership and cabin have free.")


def _write(
    tool: AnyTool, name: str, *bounds: Bound, denials: tuple[Rule, ...] = (), asks: tuple[Rule, ...] = ()
) -> tuple[Rule, ...]:
    """The rules of a write: denied unless every bound holds, for people where they ask, and else allowed."""
    why = "It is theirs, and nothing is unusual."
    fine = allow(f"{name}-of-ones-own", tool.name, equals("seen_own", True), why=why)
    return (*deny_unless(tool.name, name, _OWN, *bounds), *denials, *asks, fine)


def _asks(tool: AnyTool, rule_id: str, *when: Condition, why: str, role: str = LEAD) -> tuple[Rule, ...]:
    return (require_approval(rule_id, tool.name, *when, role=role, within_s=DAY_S, why=why),)


def _reads() -> tuple[Rule, ...]:
    when_identified: dict[str, AnyTool] = {
        "search": airline_flights.search_flights,
        "read-flight": airline_flights.read_flight,
        "list-airports": airline_flights.list_airports,
    }
    own: dict[str, AnyTool] = {
        "profile": airline_customers.read_profile,
        "reservation": airline_reservations.read_reservation,
    }
    return (
        deny(
            "find-once",
            airline_customers.find_customer.name,
            differs("seen_identified", False),
            why="A case is about one customer, and this one has theirs.",
        ),
        *(
            deny(f"read-ones-own-{name}", tool.name, differs("seen_own", True), why=_OWN[2])
            for name, tool in own.items()
        ),
        *(
            deny(
                f"{name}-when-identified",
                tool.name,
                differs("seen_identified", True),
                why="Nothing is read before it is known who asks.",
            )
            for name, tool in when_identified.items()
        ),
    )


def _book() -> tuple[Rule, ...]:
    tool = airline_reservations.book_flights
    most = {
        "certificates": (1, "A reservation is paid with one certificate at most."),
        "credit_cards": (1, "A reservation is paid with one credit card at most."),
    }
    return _write(
        tool,
        "book",
        _AS_READ,
        _METHOD,
        ("few_gift_cards", True, "A reservation is paid with three gift cards at most."),
        _COVERED,
        ("is_trip", True, "The flights do not lead from origin to destination, and back for a round trip."),
        _SEATS,
        _BAGS,
        _SUM,
        ("adds_up", True, "The payments do not add up to the price, or one method is named twice."),
        denials=(
            deny(
                "book-too-many",
                tool.name,
                above("seen_few_enough", MOST_PASSENGERS),
                why="A reservation has five passengers at most.",
            ),
            *(
                deny(f"book-{fact.replace('_', '-')}", tool.name, above(f"seen_{fact}", limit), why=why)
                for fact, (limit, why) in most.items()
            ),
        ),
        asks=_asks(tool, "book-dear", above("price", BOOKED_UP_TO), why="More than is booked without a person."),
    )


def _cancel() -> tuple[Rule, ...]:
    tool = airline_reservations.cancel_reservation
    return _write(
        tool,
        "cancel",
        _AS_READ,
        _BOOKED,
        (
            "may_cancel",
            True,
            "Only within 24 hours of booking, if the airline cancelled a flight, in business, or insured.",
        ),
        _SUM,
        asks=(
            *_asks(tool, "cancel-dear", above("refund", REFUNDED_UP_TO), why="More than is given back so."),
            *_asks(
                tool,
                "cancel-insurance-to-judge",
                differs("seen_condition_met", True),
                why="Only the insurance allows it, and it is not for health or weather.",
            ),
            *_asks(tool, "cancel-partly-flown", differs("seen_unused", True), why=_UNUSED[2]),
        ),
    )


def _changes() -> tuple[Rule, ...]:
    flights = airline_reservations.change_flights
    return (
        *_write(
            flights,
            "change",
            _AS_READ,
            _BOOKED,
            _UNUSED,
            ("may_change", True, "Flights in basic economy are not changed; their cabin may be."),
            ("same_route", True, "Origin, destination and kind of trip stay."),
            _SEATS,
            _METHOD,
            _NO_CERTIFICATE,
            _COVERED,
            _SUM,
            asks=_asks(
                flights, "change-far-in-price", above("seen_difference", DIFFERENCE_UP_TO), why="It differs by much."
            ),
        ),
        *_write(
            airline_reservations.change_bags,
            "bags",
            _AS_READ,
            _BOOKED,
            ("adds_bags", True, "Bags are added, and never taken out."),
            _BAGS,
            _METHOD,
            _NO_CERTIFICATE,
            _COVERED,
            _SUM,
        ),
        *_write(
            airline_reservations.change_passengers,
            "passengers",
            _AS_READ,
            _BOOKED,
            ("same_number", True, "Passengers change, their number does not."),
        ),
    )


def _gestures() -> tuple[Rule, ...]:
    certificate, task = airline_customers.send_certificate, airline_desk.leave_task
    return (
        *_write(
            certificate,
            "certificate",
            _AS_READ,
            ("deserving", True, "For silver and gold members, insured reservations and business alone."),
            ("disrupted", True, "No flight of it was cancelled, or delayed, as the certificate says."),
            ("first", True, "This reservation has had its certificate."),
            ("right_sum", True, "It is 100 dollars a passenger for a cancelled flight, 50 for a delayed one."),
            asks=(
                *_asks(
                    certificate,
                    "certificate-dear",
                    above("amount", GIVEN_UP_TO),
                    why="More than is given without an administrator.",
                    role=ADMINISTRATOR,
                ),
                *_asks(
                    certificate,
                    "certificate-without-a-change",
                    differs("seen_settled", True),
                    why="A delay is made good once the reservation is changed or cancelled; this one was not.",
                    role=ADMINISTRATOR,
                ),
            ),
        ),
        *_write(
            task,
            "task",
            asks=_asks(
                task,
                "task-for-an-exception",
                equals("kind", "exception"),
                why="What the rules do not allow is an administrator's to grant.",
                role=ADMINISTRATOR,
            ),
        ),
    )


POLICY = Policy(
    owner="airline-service",
    purpose="Help travellers with their own reservations within the airline's rules, and nobody with anybody else's.",
    success=(
        "Four of five travellers are helped without a handoff, fewer than one in twenty decisions is corrected,"
        " and nothing is booked or changed that its traveller has not confirmed."
    ),
    duties=Duties(
        prompts="airline-service",
        rules="airline-revenue",
        tool_access="platform-security",
        monitoring="airline-service",
        escalation="head-of-service",
        review_due="2027-06-30",
    ),
    tools=EVERY,
    rules=(*_reads(), *_book(), *_cancel(), *_changes(), *_gestures()),
    evidence=EVIDENCE,
    confirmed=tuple(tool.name for tool in WRITES),
    roles=(LEAD, ADMINISTRATOR),
    budget=Budget(tool_calls=150, model_calls=80, iterations=20, seconds=300),
    queue=Queue(
        name="airline-service",
        target_s=HOUR_S,
        escalation=(Level("group", 2 * HOUR_S, LEAD),),
        capacity=CAPACITY,
    ),
    input_guards=(redact_card_numbers,),
    guarded=Guarded(guards=STANDARD, says=("message",), role=LEAD, within_s=DAY_S),
)
