"""Hellos with one thing changed."""

from .exchange import CLIENT_IDENTITY, Exchange, compact
from .make_messages import with_member
from .primitives import Identity

KID = Identity(CLIENT_IDENTITY).kid
BASE = Exchange("base")
PLAIN = Exchange("base", mode="plain")

MALFORMED, KEY, CLIENT = "MALFORMED_REQUEST", "INVALID_PUBLIC_KEY", "CLIENT_NOT_ALLOWED"
VERSION, MODE, SCHEME, RETRY = "MISSING_VERSION", "CONFIRMATION_REQUIRED", "NO_COMMON_SCHEME", "RETRY_WITH_SCHEME"


def edited(path, value=..., base=BASE):
    """The hello with the member at `path` set, or without it."""
    root = base.hello_json()
    *parents, last = path.split(".")
    place = root
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return compact(root)


def raw(path, text):
    """The hello with raw JSON at `path`."""
    return edited(path, "@@").replace('"@@"', text)


def future(text):
    """The hello with raw JSON in an unknown member."""
    return with_member(compact(BASE.hello_json()), f'"future":{text}')


def identified(kid=KID, **changes):
    root = BASE.hello_json()
    root["keyAgreement"]["identity"] = {"kid": kid}
    root["device"]["id"] = changes.get("device", root["device"]["id"])
    root["client"]["clientId"] = changes.get("client", root["client"]["clientId"])
    root["client"]["type"] = changes.get("type", root["client"]["type"])
    return compact(root)
