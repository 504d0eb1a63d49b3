"""What vendors' deliveries become, held against files, the catalogue and acceptance."""

from typing import Final

import pytest
from jsonschema import Draft202012Validator

from services.ingest.channels.contract import Document, Ignored
from services.ingest.channels.judging import judge_reads
from services.ingest.channels.table import HOOKS
from shared.acceptance.native import Given
from shared.catalogue.schemas import schema_of
from shared.catalogue.types import touchpoint_types
from shared.errors import Unauthorized
from shared.records import RejectedRecord, TouchpointRecord
from shared.sources import Hook, Vendor
from shared.touchpoints import JsonObject
from tests.fixtures.deliveries import NOW, SECRET, delivery_of, hook_for, sendgrid_public_key
from tests.fixtures.hooks import Example, examples, told
from tests.strategies.items import terms_with

EXAMPLES: Final = examples()
NATIVE: Final = "from_a_trigger"
NOBODY: Final = {("sendgrid", "nobody")}


def by_name(example: Example) -> str:
    return f"{example.vendor}-{example.name}"


def touchpoints(example: Example) -> list[JsonObject]:
    items = [read.item for read in example.reads() if isinstance(read, Document)]
    return [item for item in items if not isinstance(item, Given)]


@pytest.mark.parametrize("example", EXAMPLES, ids=by_name)
def test_a_delivery_becomes_what_its_file_says(example: Example) -> None:
    assert [told(read) for read in example.reads()] == example.file.becomes


@pytest.mark.parametrize("example", EXAMPLES, ids=by_name)
def test_what_a_delivery_becomes_fits_the_catalogue_and_is_accepted(example: Example) -> None:
    for item in touchpoints(example):
        kind = touchpoint_types()[str(item["type"])]
        customer = {"customer": {"email": "ana@example.com"}} if not item["customer"] else {}
        faults = Draft202012Validator(schema_of(kind)).iter_errors({**item, **customer})
        assert [fault.message for fault in faults] == []
    for record in judge_reads(example.reads(), terms_with()):
        assert isinstance(record, Ignored | TouchpointRecord) or by_name(example) in (
            "sendgrid-nobody",
            "ses-open_by_one_of_two",
        )


@pytest.mark.parametrize("vendor", Vendor)
def test_the_catalogue_names_exactly_the_types_that_a_vendor_s_deliveries_become(
    vendor: Vendor,
) -> None:
    made = {
        str(item["type"])
        for example in EXAMPLES
        if example.vendor is vendor and example.name != NATIVE
        for item in touchpoints(example)
    }
    assert made == {kind.key for kind in touchpoint_types().values() if vendor in kind.vendors}


@pytest.mark.parametrize("vendor", Vendor)
def test_every_vendor_has_an_event_that_is_unknown_and_only_counted(vendor: Vendor) -> None:
    reasons = {
        read.reason
        for example in EXAMPLES
        if example.vendor is vendor
        for read in example.reads()
        if isinstance(read, Ignored)
    }
    assert "unknown_event" in reasons


@pytest.mark.parametrize("vendor", Vendor)
def test_event_ids_are_the_vendor_s_own_and_tell_deliveries_apart(vendor: Vendor) -> None:
    for example in EXAMPLES:
        if example.vendor is vendor:
            again = [item["event_id"] for item in touchpoints(example)]
            assert again == [item["event_id"] for item in touchpoints(example)]
            assert len(again) == len(set(again))
            assert all(isinstance(one, str) and len(one) <= 200 for one in again)


@pytest.mark.parametrize("vendor", Vendor)
def test_only_deliveries_that_the_vendor_signed_are_read(vendor: Vendor) -> None:
    example = next(example for example in EXAMPLES if example.vendor is vendor)
    body, headers = example.signed
    wrong = {name: value[:-6] + "AAAAA=" for name, value in headers.items()}
    other = Hook(("another",), hook_for(vendor).url, ("arn:aws:sns:eu-west-1:123456789012:x",))
    for delivery in (
        delivery_of(vendor, body, headers),
        delivery_of(vendor, body, headers, hook=Hook()),
        delivery_of(vendor, body, headers, hook=other),
        delivery_of(vendor, example.body + b" ", {}, hook=hook_for(vendor)),
        delivery_of(vendor, body + b" ", wrong, hook=hook_for(vendor)),
    ):
        if delivery.body == body + b" " and vendor in (Vendor.MAILGUN, Vendor.SES):
            continue  # their signature stands in the body, which white space does not change
        with pytest.raises(Unauthorized):
            list(HOOKS[vendor](delivery))


def test_somebody_without_a_name_waits_in_the_quarantine_for_one() -> None:
    (example,) = [one for one in EXAMPLES if by_name(one) == "sendgrid-nobody"]
    (record,) = judge_reads(example.reads(), terms_with())
    assert isinstance(record, RejectedRecord)
    assert record.data.reason == "required"
    assert b"bm9ib2R5" in record.data.raw


def test_the_fixtures_sign_with_what_the_settings_name() -> None:
    assert hook_for(Vendor.SENDGRID).secrets == (sendgrid_public_key(),)
    assert hook_for(Vendor.STRIPE).secrets == (SECRET,)
    assert NOW > 0
