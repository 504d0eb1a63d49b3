import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Forbidden
from shared.keys import (
    BASE62,
    KeyKind,
    Principal,
    Scope,
    is_key,
    is_key_id,
    key_digest,
    mint_key,
    presented_key,
)

PEPPER = b"pepper"
SECRET = Principal(KeyKind.SECRET, "k1", None, frozenset({Scope.CUSTOMERS_READ}))
WRITE = Principal(KeyKind.WRITE, "k2", "shop", frozenset({Scope.TOUCHPOINTS_WRITE}))


def minted(kind: KeyKind = KeyKind.WRITE) -> str:
    return mint_key(kind, lambda length: "aB3" * (length // 3) + "x" * (length % 3)).text


base62 = st.text(BASE62, min_size=43, max_size=43)


@given(base62, st.sampled_from(KeyKind))
def test_a_minted_key_is_a_key_and_carries_its_id(characters: str, kind: KeyKind) -> None:
    key = mint_key(kind, lambda length: characters[:length])
    assert is_key(key.text)
    assert is_key_id(key.id)
    assert key.text.startswith(f"{'wk' if kind is KeyKind.WRITE else 'sk'}_{key.id}_")


@given(base62, st.integers(3, 60), st.sampled_from(BASE62))
def test_a_key_with_one_character_changed_is_none(characters: str, place: int, other: str) -> None:
    key = mint_key(KeyKind.SECRET, lambda length: characters[:length]).text
    place = min(place, len(key) - 1)
    changed = key[:place] + other + key[place + 1 :]
    assert is_key(changed) == (changed == key)


@pytest.mark.parametrize(
    "text", ["", "wk_", "é", "wk_" + "0" * 58, minted() + "\n", "x" + minted()]
)
def test_what_has_another_shape_is_no_key(text: str) -> None:
    assert not is_key(text)


def test_the_digest_is_hmac_sha256_of_the_whole_key_under_the_pepper() -> None:
    key = minted()
    assert key_digest(PEPPER, key) == hmac.new(PEPPER, key.encode(), hashlib.sha256).digest()
    assert key_digest(b"other", key) != key_digest(PEPPER, key)


def basic(text: str) -> bytes:
    return b"Basic " + base64.b64encode(text.encode())


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {minted()}".encode(),
        f"bearer  {minted()} ".encode(),
        basic(f"{minted()}:"),
        basic(f"{minted()}:ignored"),
        basic(minted()),
    ],
)
def test_a_key_is_found_in_authorization(authorization: bytes) -> None:
    assert presented_key(authorization, None) == minted()


def test_authorization_goes_before_the_header_of_its_own() -> None:
    other = minted(KeyKind.SECRET)
    assert presented_key(f"Bearer {minted()}".encode(), other.encode()) == minted()


def test_a_token_that_is_none_of_ours_stands_back_behind_a_key() -> None:
    assert presented_key(b"Bearer eyJhbGciOi", minted().encode()) == minted()
    assert presented_key(b"Bearer eyJhbGciOi", None) == "eyJhbGciOi"


@pytest.mark.parametrize(
    "authorization", [None, b"", b"Bearer", b"Basic", b"Basic ::", b"Basic Og==", b"Digest a=b"]
)
def test_without_a_key_there_is_none(authorization: bytes | None) -> None:
    assert presented_key(authorization, None) is None
    assert presented_key(authorization, b"") is None
    assert presented_key(authorization, minted().encode()) == minted()


@given(st.binary(), st.binary())
def test_no_headers_are_too_strange_to_read(authorization: bytes, write_key: bytes) -> None:
    presented_key(b"Basic " + authorization, write_key)
    presented_key(authorization, write_key)


def test_one_of_several_scopes_is_enough() -> None:
    SECRET.require(Scope.MODELS_WRITE, Scope.CUSTOMERS_READ)


def test_a_scope_that_is_missing_is_named() -> None:
    with pytest.raises(Forbidden, match="scope admin") as refused:
        SECRET.require(Scope.ADMIN)
    assert refused.value.code == "missing_scope"


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://shop.example", "api.example"),
        ("https://api.example", "api.example:8080"),
        ("null", "api.example"),
        ("null", "null"),
        ("https://api.example", None),
        ("https://[", "api.example"),
        ("", ""),
    ],
)
def test_a_secret_key_is_refused_from_pages_of_other_hosts(origin: str, host: str | None) -> None:
    with pytest.raises(Forbidden) as refused:
        SECRET.refuse_foreign_page(origin=origin, host=host)
    assert refused.value.code == "secret_key_in_browser"
    WRITE.refuse_foreign_page(origin=origin, host=host)


def test_a_secret_key_works_from_servers_and_from_our_own_pages() -> None:
    SECRET.refuse_foreign_page(origin=None, host="api.example")
    SECRET.refuse_foreign_page(origin="https://API.example:8080", host="api.EXAMPLE:8080")
