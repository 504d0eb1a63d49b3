import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.identity.normalisation import PHONE_REGIONS, Normalised, normalise

_REGIONS = st.none() | st.sampled_from(sorted(PHONE_REGIONS))
_DIALLED = st.text("+00123456789 -/()", max_size=18) | st.text(max_size=10)


@pytest.mark.parametrize(
    ("kind", "given_value", "region", "expected"),
    [
        ("user_id", "  U_42\t", None, "U_42"),
        ("user_id", "a@b", "DE", "a@b"),
        ("anonymous_id", "\u00a0a-77\u3000", None, "a-77"),
        ("email", " Ana@Example.COM\n", None, "ana@example.com"),
        ("email", "ÄNNE@BÜRO.DE", None, "änne@büro.de"),
        ("phone", " +49 (30) 12-34.56 ", None, "+4930123456"),
        ("phone", "030 123456", "DE", "+4930123456"),
        ("phone", "0049 30 123456", "DE", "+4930123456"),
        ("phone", "+49 30 123456", "US", "+4930123456"),
        ("phone", "(415) 555-0100", "US", "+14155550100"),
        ("phone", "tel:+1-415-555-0100", None, "+14155550100"),
        ("phone", "+٤٩٣٠١٢٣٤٥٦", None, "+4930123456"),
    ],
)
def test_a_value_gets_its_one_spelling(
    kind: str, given_value: str, region: str | None, expected: str
) -> None:
    assert normalise(kind, given_value, phone_region=region) == Normalised(expected)


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        ("ANA", "ana"),
        ("@example.com", "@example.com"),
        (" Ana@ ", "ana@"),
        ("@", "@"),
        ("A@B@C", "a@b@c"),
        ("  ", ""),
    ],
)
def test_an_email_without_two_sides_of_one_at_sign_is_flagged(given_value: str, kept: str) -> None:
    expected = Normalised(kept, ("email_not_normalised",))
    assert normalise("email", given_value, phone_region=None) == expected


@pytest.mark.parametrize(
    ("given_value", "region"),
    [
        ("030 123456", None),
        ("0049 30 123456", None),
        ("Unknown", "DE"),
        ("0", "DE"),
        ("555-0100", "US"),
        ("+1 415 555 0100 ext. 7", "US"),
        ("+999 123456789", "DE"),
        ("030 123456", "XX"),
        ("0" * 200, "DE"),
        ("+49 0002299955757", None),
    ],
)
def test_a_phone_number_that_names_no_one_line_is_kept_as_given_and_flagged(
    given_value: str, region: str | None
) -> None:
    expected = Normalised(given_value, ("phone_not_normalised",))
    assert normalise("phone", f" {given_value} ", phone_region=region) == expected


@given(st.sampled_from(["email", "user_id"]), st.text())
@example("email", "İ@Σ")
def test_normalising_twice_changes_nothing(kind: str, value: str) -> None:
    once = normalise(kind, value, phone_region=None)
    assert normalise(kind, once.value, phone_region=None) == once


@given(_DIALLED, _REGIONS, _REGIONS)
@example("0061447123", "AU", None)
@example("00375205955", "BY", None)
def test_a_normalised_phone_number_is_the_same_in_every_region(
    number: str, region: str | None, other: str | None
) -> None:
    once = normalise("phone", number, phone_region=region)
    if not once.flags:
        assert normalise("phone", once.value, phone_region=other) == once


@given(st.sampled_from(sorted(PHONE_REGIONS)))
def test_every_region_reads_its_own_example_number(region: str) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert normalise("phone", national, phone_region=region) == Normalised(expected)
