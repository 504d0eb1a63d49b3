from shared.identity.policy import BlockRule, KindRule, Policy
from shared.identity.policy_documents import default_policy
from shared.identity.policy_warnings import warnings_of


def test_the_default_policy_is_beyond_doubt() -> None:
    assert warnings_of(default_policy()) == ()


def test_what_is_probably_not_meant_is_named_with_its_path() -> None:
    policy = Policy(
        kinds=(KindRule("email", 5), KindRule("phone")),
        blocked=(
            BlockRule("emial", ("a@b",)),
            BlockRule("email", ("*@b", "fine@b"), ("**", "*@fine")),
            BlockRule("phone", ("+4930123456", "030 123456")),
            BlockRule("*", (), ("*",)),
        ),
    )
    assert [(warning.path, warning.code) for warning in warnings_of(policy)] == [
        ("kinds", "no_unique_kind"),
        ("blocked[0].kind", "unlisted_kind"),
        ("blocked[1].values[0]", "wildcard_in_value"),
        ("blocked[1].patterns[0]", "blocks_all"),
        ("blocked[2].values[1]", "phone_not_normalised"),
        ("blocked[3].patterns[0]", "blocks_all"),
    ]
