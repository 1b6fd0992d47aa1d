import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import resolve, reverse
from django.utils import translation

from django_magiclink.inventory import Door, list_views

MIDDLEWARE = "django_magiclink.middleware.ApprovalMiddleware"


@pytest.fixture(autouse=True)
def project(settings):
    settings.ROOT_URLCONF = "tests.inventory.urls"
    with translation.override("en"):
        yield


@pytest.fixture
def ruled(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]
    return settings


def listed():
    return {view.route: view for view in list_views()}


def view(name):
    [found] = [view for view in list_views() if view.name == name]
    return found


def guards(name):
    """What stands before a view: the door with its name, scope and methods."""
    return [
        (
            guard.label,
            guard.requirement.scope,
            guard.methods and "".join(sorted(guard.methods)),
        )
        for guard in view(name).guards
    ]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", ""),
        ("/decorated/5/", "decorated/<int:pk>/"),
        ("/unnamed/", "unnamed/"),
        ("/class/", "class/"),
        ("/callable/", "callable/"),
        ("/bank/pay/", "bank/pay/"),
        ("/bank/se/deep/7/", r"bank/se/deep/(?P<pk>\d+)/$"),
        ("/router/things/", "router/things/$"),
        ("/back/auth/user/add/", "back/auth/user/add/"),
        ("/en/translated/", "en/translated/"),
    ],
)
def test_a_view_is_listed_as_a_request_finds_it(path, route):
    match = resolve(path)

    found = listed()[route]

    assert found.route == match.route
    assert found.name == match.view_name
    assert found.callback == match._func_path
    assert found.match.func.__class__ == match.func.__class__
    assert found.match.namespaces == match.namespaces
    assert found.match.app_names == match.app_names


def test_routes_are_those_of_the_language():
    with translation.override("sv"):
        assert "sv/translated/" in listed()


def test_another_urlconf_may_be_listed():
    names = [view.name for view in list_views("tests.inventory.clean")]

    assert "payroll" in names
    assert "stacked" not in names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("home", []),
        ("decorated", [("decorator", "payroll", None)]),
        ("stacked", [("decorator", "outer", None), ("decorator", "inner", "POST")]),
        ("partial", [("decorator", "payroll", None)]),
        ("tests.inventory.views.Plain", []),
        ("dispatched", [("method dispatch", "dispatch", None)]),
        ("mixed", [("mixin", "mixin", None)]),
        ("given", [("mixin", "given", None)]),
        (
            "around",
            [
                ("decorator", "around", None),
                ("mixin", "mixin", None),
                ("method dispatch", "dispatch", None),
            ],
        ),
    ],
)
def test_a_view_tells_the_guards_around_it(name, expected):
    assert guards(name) == expected


def test_each_method_decorator_counts_the_outermost_first():
    assert guards("methods") == [
        ("method post", scope, "POST")
        for scope in ["first", "second", "sensitive", "own"]
    ]


def test_head_goes_without_saying(client):
    # REST framework adds it to the actions at the first request.
    client.get("/router/things/recent/")

    assert guards("thing-recent") == [("method recent", "action", "GET")]


def test_a_guard_with_a_condition_says_so():
    [guard] = view("async").guards

    assert guard.conditional


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("api", [("permission", "attributes", None)]),
        ("composed", [("permission", "api", None)]),
        ("either", []),
        ("either_way", [("permission", "api", None), ("permission", "other", None)]),
        ("by_request", []),
        ("api_function", [("permission", "api", None)]),
        ("thing-list", [("permission create", "things", "POST")]),
        ("thing-pay", [("permission", "api", None)]),
        ("thing-recent", [("method recent", "action", "GET")]),
        ("all-list", [("permission", "api", None)]),
    ],
)
def test_permissions_of_rest_framework_are_guards(name, expected):
    assert guards(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("index", []),
        ("login", []),
        ("auth_user_changelist", []),
        ("auth_user_add", []),
        ("auth_user_change", [("model admin change", "users", "POST")]),
        ("auth_user_password_change", [("model admin change", "users", "POST")]),
        ("auth_user_delete", []),
        ("auth_group_add", [("model admin add", "add-group", "POST")]),
        ("auth_group_change", []),
        ("auth_group_delete", [("model admin delete", "delete-group", "POST")]),
        ("auth_group_history", [("decorator", "history", None)]),
        (
            "auth_group_changelist",
            [("model admin delete_selected", "delete-group", "POST")],
        ),
        (
            "auth_permission_changelist",
            [("model admin change", "permissions", "POST")],
        ),
        ("custom", []),
        ("bare", []),
    ],
)
def test_what_a_model_admin_asks_for_is_told_of_its_views(name, expected):
    assert guards(f"back:{name}") == expected


@pytest.mark.parametrize(
    "name",
    [
        "index",
        "password_change",
        "view_on_site",
        "auth_permission_add",
        "auth_user_password_change",
        "custom",
    ],
)
def test_a_guarded_site_guards_its_views(name):
    assert guards(f"vault:{name}") == [("admin site", "site", None)]


@pytest.mark.parametrize("name", ["login", "logout", "jsi18n", "bare"])
def test_a_guarded_site_leaves_some_views_open(name):
    assert guards(f"vault:{name}") == []


def test_a_model_admin_stands_within_its_site():
    assert guards("vault:auth_permission_change") == [
        ("admin site", "site", None),
        ("model admin change", "permissions", "POST"),
    ]


def test_rules_are_guards_with_their_index(ruled):
    ruled.MAGICLINK_RULES = [
        {"namespace": "us", "scope": "bank"},
        {"view": "se:pay", "methods": ["POST"], "scope": "pay"},
        {"view": "decorated", "scope": "ruled"},
    ]

    assert guards("us:deep:deep") == [("rule 0", "bank", None)]
    assert guards("se:pay") == [("rule 1", "pay", "POST")]
    assert guards("se:deep:deep") == []
    assert guards("decorated") == [
        ("rule 2", "ruled", None),
        ("decorator", "payroll", None),
    ]


def test_rules_without_the_middleware_guard_nothing(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "no.such.middleware"]
    settings.MAGICLINK_RULES = [{"all": True}]

    assert [guard for guard in view("home").guards if guard.door is Door.RULE] == []


def test_a_rule_for_all_is_conditional_only_by_its_own_when(ruled):
    ruled.MAGICLINK_RULES = [{"all": True}]
    [guard] = view("home").guards
    assert not guard.conditional

    ruled.MAGICLINK_RULES = [{"all": True, "when": lambda request: False}]
    [guard] = view("home").guards
    assert guard.conditional


def test_what_no_rule_is_for_is_exempt(ruled):
    ruled.MAGICLINK_RULES = [{"all": True}]
    ruled.MAGICLINK_EXEMPT = ["us:*"]

    exempt = {view.name for view in list_views() if view.exempt}

    assert {"exempt", "login", "us:pay", "us:deep:deep"} < exempt
    assert "django_magiclink:start" in exempt
    assert "se:pay" not in exempt
    assert view("exempt").guards == ()


def test_options_that_are_wrong_are_said():
    with pytest.raises(ImproperlyConfigured, match="approval_scop"):
        list_views("tests.inventory.misspelt")


#: What needs a request to say what it wants, what has an address that is made in
#: another way, and what fails whoever asks.
NOT_TRIED = {
    "by_request",
    "back:app_list",
    "vault:app_list",
    "back:auth_user_password_change",
}


def asked(view, method):
    """Whether a plain request by ``method`` comes to a guard of ``view``."""
    return any(
        guard.methods is None or method in guard.methods
        for guard in view.guards
        # Only some POSTs to a list of the admin change anything.
        if not (guard.door is Door.MODEL_ADMIN and "changelist" in view.name)
    )


@pytest.mark.parametrize("rules", [[], [{"all": True, "methods": ["POST"]}]])
def test_what_is_listed_is_what_requests_find(user, ruled, rules):
    ruled.MAGICLINK_RULES = rules
    user.is_staff = user.is_superuser = True
    user.save()
    client = Client(raise_request_exception=False)
    places = {"pk": user.pk, "id": user.pk, "object_id": user.pk, "app_label": "auth"}
    places["token"] = "any"

    for view in list_views():
        names = [name for name in places if f"<{name}>" in view.route.replace(":", "<")]
        if not view.match.url_name or view.name in NOT_TRIED or "uuid:" in view.route:
            continue
        kwargs = {name: places[name] for name in names}
        kwargs |= {"content_type_id": 1} if "content_type_id" in view.route else {}
        address = reverse(view.name, kwargs=kwargs)
        for method in ("GET", "POST"):
            # One of the views before was a logout.
            client.force_login(user)
            response = client.generic(method, address)
            assert (response.status_code == 401) == asked(view, method), (
                view.name,
                method,
                response.status_code,
            )
