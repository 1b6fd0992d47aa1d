"""Who and what takes part: users, guarded requests, approvals, answers, moves."""

from dataclasses import dataclass

#: Seconds: to begin sending, to wait beyond the phone's own time, to type a code, to
#: use a single use, for which a page can start, and of a lock.
START, GRACE, TYPE, USE, PAGE, LOCK = 30, 10, 60, 300, 600, 900
DAY = 86400
#: Seconds for which a phone rings.
RINGS = {"": 60, "payments": 90}
UNDECIDED = ("pending", "sent", "confirming")
LISTED = {
    *(("pending", after) for after in ("sent", "failed", "cancelled", "expired")),
    *(("sent", after) for after in ("confirming", "accepted", "rejected")),
    *(("sent", after) for after in ("no_answer", "undelivered")),
    *(("sent", after) for after in ("failed", "cancelled", "expired")),
    *(("confirming", after) for after in ("accepted", "failed")),
    *(("confirming", after) for after in ("cancelled", "expired")),
    *(("accepted", after) for after in ("consumed", "revoked")),
}

#: What the server may say: status and body, what it means, whether the phone is done.
ANSWERS = {
    "accept": (200, b'{"code": "TOUCH_ACCEPTED"}', "accepted", True),
    "reject": (200, b'{"code": "TOUCH_REJECTED"}', "rejected", True),
    "ignore": (200, b'{"code": "USER_NOT_RESPONDED"}', "no_answer", True),
    "undeliverable": (200, b'{"code": "FAILED_DELIVERY"}', "undelivered", True),
    "refused": (400, b'{"code": "BAD_REQUEST"}', "failed", True),
    "accept with 500": (500, b'{"code": "TOUCH_ACCEPTED"}', "failed", True),
    "accept with 302": (302, b'{"code": "TOUCH_ACCEPTED"}', "failed", True),
    "unknown": (200, b'{"code": "TOUCH_APPROVED_V2"}', "failed", False),
    "other case": (200, b'{"code": "touch_accepted"}', "failed", False),
    "nested": (200, b'{"result": {"code": "TOUCH_ACCEPTED"}}', "failed", False),
    "list": (200, b'{"code": ["TOUCH_ACCEPTED"]}', "failed", False),
    "twice": (200, b'{"code": "TOUCH_ACCEPTED", "code": ""}', "failed", False),
    "cut off": (200, b'{"code": "TOUCH_ACCEPTED"', "failed", False),
    "page": (504, b"<html>TOUCH_ACCEPTED</html>", "failed", False),
    "empty": (200, b"", "failed", False),
    "reset": (None, b"", "failed", False),
}


@dataclass(frozen=True)
class Need:
    """An approval that is needed; two requests need the same if these are equal."""

    what: str
    #: ``None`` is until logout, 0 for one request.
    seconds: int | None
    typed: bool = False
    endpoint: str = ""


@dataclass(frozen=True)
class Action:
    method: str
    path: str
    fields: tuple = ()
    needs: tuple = ()


def _form(path, *fields, **need):
    return Action("POST", path, fields, (Need(f"{path} {fields}", 0, **need),))


RED = ("colour", "red")
ACTIONS = [
    Action("GET", "/payroll/", (), (Need("payroll", 60),)),
    Action("POST", "/payroll/", (("month", "5"),), (Need("payroll", 60),)),
    _form("/once/", ("amount", "10")),
    _form("/once/", ("amount", "1000")),
    _form("/once/?amount=10"),
    Action("GET", "/once/", (), (Need("once by GET", 0),)),
    _form("/transfer/", ("amount", "10"), ("payee", "Bo")),
    _form("/transfer/", ("amount", "10"), ("payee", "Eve")),
    Action("GET", "/transfer/"),
    Action("GET", "/session/", (), (Need("session", None),)),
    Action("GET", "/params/1/?colour=red", (), (Need("1 red", 60),)),
    Action("POST", "/params/1/", (RED,), (Need("1 red", 60),)),
    Action("POST", "/params/2/", (RED,), (Need("2 red", 60),)),
    _form("/inline/", ("amount", "10")),
    _form("/class_based/", ("amount", "10")),
    Action("GET", "/typed/", (), (Need("typed", 60, typed=True),)),
    _form("/typed_once/", ("amount", "10"), typed=True),
    Action("GET", "/stacked/", (), (Need("outer", 60), Need("inner", 0))),
    Action(
        "GET",
        "/called/?endpoint=payments",
        (),
        (Need("called", 60, endpoint="payments"),),
    ),
    Action("GET", "/called/?when=no&endpoint=payments"),
]
GUARDED = [each for each in ACTIONS if each.needs]


@dataclass(eq=False)
class User:
    name: str
    number: str | None
    active: bool = True
    #: How many passwords there were before this one.
    password: int = 0


@dataclass(eq=False)
class Session:
    user: User
    password: int


@dataclass(eq=False)
class Offer:
    """What a refused request can be turned into by a start."""

    need: Need
    user: User
    session: Session
    password: int
    number: str
    made: int
    action: Action
    token: str = ""


@dataclass(eq=False)
class Asked:
    """An approval."""

    offer: Offer
    created: int
    state: str = "pending"
    id: str = ""
    #: Until when it may be decided, and until when the number is taken.
    deadline: int = 0
    live_until: int = 0
    holds: bool = True
    sent: int | None = None
    answered: int | None = None
    wrong_code: bool = False
    reported: int | None = None

    def __post_init__(self):
        self.deadline = self.live_until = self.created + START
