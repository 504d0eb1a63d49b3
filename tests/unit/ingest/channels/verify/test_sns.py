"""Amazon SNS: signatures of both versions, foreign topics and addresses, confirmations."""

import msgspec
import pytest

from services.ingest.channels.contract import Delivery, Ignored
from services.ingest.channels.ses import certificate_address, confirmation_address, read_ses
from shared.errors import Unauthorized
from shared.instants import MINUTE, Instant
from shared.sources import Hook, Vendor
from shared.touchpoints import JsonObject
from tests.fixtures.deliveries import (
    CERTIFICATE_ADDRESS,
    NOW,
    TOPIC,
    delivery_of,
    hook_for,
    sns_message,
)

CONFIRM = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t-1"
SUBSCRIPTION = {"Type": "SubscriptionConfirmation", "Token": "t-1", "SubscribeURL": CONFIRM}


def delivered(message: JsonObject, *, after: Instant = 0, hook: Hook | None = None) -> Delivery:
    return delivery_of(
        Vendor.SES,
        msgspec.json.encode(message),
        {},
        hook=hook or hook_for(Vendor.SES),
        received_at=NOW + after,
    )


def refusal(delivery: Delivery) -> str:
    with pytest.raises(Unauthorized) as error:
        list(read_ses(delivery))
    return error.value.code


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("members", [{}, {"Subject": "Amazon SES Email Event"}, SUBSCRIPTION])
def test_both_versions_of_the_signature_are_right_for_every_kind_of_message(
    version: str, members: dict[str, str]
) -> None:
    message = sns_message({"SignatureVersion": version, **members})
    assert list(read_ses(delivered(message))) == [Ignored("no_touchpoint")]


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "Type", "Subject"])
def test_every_member_that_is_signed_counts(version: str, name: str) -> None:
    message = sns_message({"SignatureVersion": version, "Subject": "s"})
    assert refusal(delivered({**message, name: f"{message[name]} "})) == "bad_signature"


@pytest.mark.parametrize("version", ["0", "3", ""])
def test_another_version_is_none(version: str) -> None:
    message = {**sns_message(), "SignatureVersion": version}
    assert refusal(delivered(message)) == "bad_signature"


def test_a_message_is_as_old_as_it_says_at_most_ten_minutes() -> None:
    message = sns_message()
    list(read_ses(delivered(message, after=10 * MINUTE)))
    assert refusal(delivered(message, after=10 * MINUTE + 1)) == "stale_signature"


def test_a_foreign_topic_is_refused_however_well_it_is_signed() -> None:
    foreign = "arn:aws:sns:eu-west-1:999999999999:mine"
    for members in (dict[str, str](), SUBSCRIPTION):
        delivery = delivered(sns_message({"TopicArn": foreign, **members}))
        assert refusal(delivery) == "topic_not_allowed"
        with pytest.raises(Unauthorized):
            certificate_address(delivery)


def test_without_topics_nothing_is_fetched() -> None:
    delivery = delivered(sns_message(), hook=Hook())
    with pytest.raises(Unauthorized) as error:
        certificate_address(delivery)
    assert error.value.code == "no_secret"


def test_a_topic_may_stand_among_the_secrets() -> None:
    list(read_ses(delivered(sns_message(), hook=Hook(secrets=(TOPIC,)))))


@pytest.mark.parametrize(
    "address",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://s3.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu/west.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com\\@evil.example/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a b.pem",
        "https://[::1/a.pem",
        "//sns.eu-west-1.amazonaws.com/a.pem",
        "",
    ],
)
def test_addresses_that_are_not_amazon_s_are_never_asked_for(address: str) -> None:
    delivery = delivered(sns_message({"SigningCertURL": address}))
    with pytest.raises(Unauthorized) as error:
        certificate_address(delivery)
    assert error.value.code == "foreign_address"
    confirmation = delivered(sns_message({**SUBSCRIPTION, "SubscribeURL": address}))
    assert refusal(confirmation) == "foreign_address"
    with pytest.raises(Unauthorized):
        confirmation_address(confirmation)


@pytest.mark.parametrize("region", ["eu-west-1.amazonaws.com", "cn-north-1.amazonaws.com.cn"])
def test_the_certificate_s_address_is_the_message_s(region: str) -> None:
    address = f"https://sns.{region}/SimpleNotificationService-1.pem"
    assert certificate_address(delivered(sns_message({"SigningCertURL": address}))) == address


def test_only_a_subscription_is_confirmed() -> None:
    assert confirmation_address(delivered(sns_message(SUBSCRIPTION))) == CONFIRM
    assert confirmation_address(delivered(sns_message())) is None
    farewell = sns_message({**SUBSCRIPTION, "Type": "UnsubscribeConfirmation"})
    assert list(read_ses(delivered(farewell))) == [Ignored("no_touchpoint")]
    assert confirmation_address(delivered(farewell)) is None


@pytest.mark.parametrize("certificate", [b"", b"no certificate", None])
def test_without_a_certificate_nothing_is_right(certificate: bytes | None) -> None:
    delivery = delivered(sns_message())
    fetched = {} if certificate is None else {CERTIFICATE_ADDRESS: certificate}
    bare = Delivery(
        body=delivery.body,
        headers=delivery.headers,
        path=delivery.path,
        query=delivery.query,
        received_at=delivery.received_at,
        source=delivery.source,
        fetched=fetched,
    )
    assert refusal(bare) == "bad_signature"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"Type":1}', b"[" * 9_999])
def test_what_is_no_message_has_no_signature(body: bytes) -> None:
    delivery = delivery_of(Vendor.SES, body, {}, hook=hook_for(Vendor.SES))
    assert refusal(delivery) == "no_signature"
