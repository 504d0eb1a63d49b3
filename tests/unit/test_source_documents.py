import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.instants import DAY, HOUR, SECOND
from shared.source_documents import column_map_of, document_of, patched, settings_of, source_of
from shared.sources import Hook, Links, RateLimit, Source, SourceSettings, UnknownTypes, Vendor
from shared.touchpoints import Channel, JsonValue

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
hooks = st.builds(Hook, st.lists(texts, max_size=2).map(tuple), st.just("https://a.example/b"))

settings = st.builds(
    SourceSettings,
    links=st.sampled_from(Links),
    types=st.frozensets(texts, max_size=3),
    rate_limit=st.none()
    | st.builds(RateLimit, st.floats(0.001, 1_000_000), st.integers(1, 1_000_000)),
    unknown_types=st.sampled_from(UnknownTypes),
    allowed_origins=st.just(("https://shop.example:8443",)),
    hooks=st.dictionaries(st.sampled_from(Vendor), hooks, max_size=3),
    phone_region=st.sampled_from([None, "DE", "US"]),
    column_map=st.dictionaries(texts, st.sampled_from(["customer.email", "properties.a.b"])),
    skew_limit=st.integers(0, 3_650 * 86_400).map(lambda seconds: seconds * SECOND),
    historical=st.booleans(),
)


@given(settings)
def test_a_document_reads_back_as_the_settings_it_was_written_from(given: SourceSettings) -> None:
    assert settings_of(document_of(given)) == given


def test_nothing_set_means_the_defaults() -> None:
    assert settings_of({}) == SourceSettings()
    assert settings_of({"types": None, "rate_limit": None, "hooks": None}) == SourceSettings()


def test_hooks_of_ses_name_the_topics_that_may_deliver_and_others_have_none() -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:ses-events"
    read = settings_of({"hooks": {"ses": {"topics": [topic]}}})
    assert read.hooks[Vendor.SES] == Hook(topics=(topic,))
    assert settings_of(document_of(read)) == read
    with pytest.raises(Invalid) as refused:
        settings_of({"hooks": {"stripe": {"topics": [topic]}, "ses": {"topics": ["ses-events"]}}})
    paths = [(fault.path, fault.code) for fault in refused.value.faults]
    assert paths == [
        ("settings.hooks.ses.topics", "invalid_value"),
        ("settings.hooks.stripe.topics", "unknown_field"),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("links", "some"),
        ("links", 1),
        ("types", "order"),
        ("types", [""]),
        ("types", ["\ud800"]),
        ("types", ["\0"]),
        ("unknown_types", "drop"),
        ("allowed_origins", ["https://shop.example/"]),
        ("allowed_origins", ["*"]),
        ("phone_region", "de"),
        ("phone_region", 49),
        ("column_map", []),
        ("column_map", {"Mail": "customer.Email"}),
        ("column_map", {"Mail": 1}),
        ("column_map", {"\ud800": "type"}),
        ("skew_limit", "1 day"),
        ("skew_limit", -1),
        ("skew_limit", True),
        ("skew_limit", 1.5),
        ("historical", "yes"),
        ("historical", 1),
    ],
)
def test_a_wrong_member_is_named(name: str, value: JsonValue) -> None:
    with pytest.raises(Invalid) as refused:
        settings_of({name: value})
    assert [fault.path for fault in refused.value.faults] == [f"settings.{name}"]


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], "settings"),
        ("x", "settings"),
        ({"colour": 1}, "settings.colour"),
        ({"rate_limit": 5}, "settings.rate_limit"),
        ({"rate_limit": {}}, "settings.rate_limit.per_second"),
        ({"rate_limit": {"burst": 3}}, "settings.rate_limit.per_second"),
        ({"rate_limit": {"per_second": 0}}, "settings.rate_limit.per_second"),
        ({"rate_limit": {"per_second": True}}, "settings.rate_limit.per_second"),
        ({"rate_limit": {"per_second": float("nan")}}, "settings.rate_limit.per_second"),
        ({"rate_limit": {"per_second": 1, "burst": 0}}, "settings.rate_limit.burst"),
        ({"rate_limit": {"per_second": 1, "per_hour": 2}}, "settings.rate_limit.per_hour"),
        ({"hooks": {"paypal": {}}}, "settings.hooks.paypal"),
        ({"hooks": {"stripe": "whsec"}}, "settings.hooks.stripe"),
        ({"hooks": {"stripe": {"secrets": "whsec"}}}, "settings.hooks.stripe.secrets"),
        ({"hooks": {"square": {"url": "ftp://a"}}}, "settings.hooks.square.url"),
    ],
)
def test_a_wrong_place_inside_is_named_with_its_whole_path(document: JsonValue, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        settings_of(document)
    assert [fault.path for fault in refused.value.faults] == [path]
    assert path in refused.value.message


def test_everything_wrong_is_named_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        source_of("Shop", "tv", {"links": "x", "colour": 1})
    assert {fault.path for fault in refused.value.faults} == {
        "name",
        "channel",
        "settings.links",
        "settings.colour",
    }


def test_a_rate_without_a_burst_lets_one_second_through_at_once() -> None:
    assert settings_of({"rate_limit": {"per_second": 20}}).rate_limit == RateLimit(20.0, 20)
    assert settings_of({"rate_limit": {"per_second": 0.1}}).rate_limit == RateLimit(0.1, 1)


def test_the_skew_limit_may_be_a_duration_or_seconds() -> None:
    assert settings_of({"skew_limit": "PT2H"}).skew_limit == 2 * HOUR
    assert settings_of({"skew_limit": 7200}).skew_limit == 2 * HOUR
    assert settings_of({}).skew_limit == DAY


def test_a_patch_replaces_what_it_names_and_null_restores_a_default() -> None:
    before = SourceSettings(types=frozenset({"a"}), historical=True, phone_region="DE")
    after = patched(before, {"types": ["b"], "phone_region": None})
    assert after == SourceSettings(types=frozenset({"b"}), historical=True)


def test_a_source_is_made_of_a_name_a_channel_and_settings() -> None:
    made = source_of("shop-1.de_x", "in_store", {"historical": True})
    assert made == Source("shop-1.de_x", Channel.IN_STORE, SourceSettings(historical=True))


@pytest.mark.parametrize("name", ["", "-a", "A", "a" * 65, "a b", "a\n"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(Invalid):
        source_of(name, "web")


def test_origins_are_allowed_when_listed_or_when_none_is() -> None:
    listed = SourceSettings(allowed_origins=("https://a.example",))
    assert SourceSettings().allows_origin("https://b.example")
    assert listed.allows_origin("https://a.example")
    assert not listed.allows_origin("https://a.example.evil.example")


def test_secrets_of_hooks_stay_out_of_texts() -> None:
    assert "hush" not in repr(Hook(("hush",)))


def test_a_column_map_is_checked_by_itself_too() -> None:
    assert column_map_of({"Kunde": "customer.loyalty_id"}) == {"Kunde": "customer.loyalty_id"}
    with pytest.raises(Invalid, match=r"customer\.KIND"):
        column_map_of({"Kunde": "loyalty"})
