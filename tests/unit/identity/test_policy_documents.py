from hypothesis import given
from hypothesis import strategies as st

from shared.identity.policy import BlockRule, KindRule, Policy
from shared.identity.policy_documents import default_policy, document_of, policy_of, read_policy

_KINDS = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
_RULES = st.lists(
    st.builds(KindRule, _KINDS, st.none() | st.integers(1, 1000)),
    unique_by=lambda rule: rule.kind,
)


def test_the_default_policy_is_the_documented_one() -> None:
    policy = default_policy()
    assert [(rule.kind, rule.limit) for rule in policy.kinds] == [
        ("user_id", 1),
        ("crm_id", 1),
        ("loyalty_id", 1),
        ("email", 5),
        ("phone", 5),
        ("anonymous_id", 200),
    ]
    zeros = "00000000-0000-0000-0000-000000000000"
    placeholders = ("unknown", "undefined", "null", "none", "anonymous", "0", "-1", zeros)
    assert policy.blocked == (
        BlockRule("email", ("test@test.com", "noreply@example.com"), ("*@example.invalid",)),
        BlockRule("*", placeholders),
    )


def test_yaml_and_json_say_the_same() -> None:
    yaml = "format: 1\nkinds:\n  - kind: user_id\n    unique: true\nblocked: []\n"
    json = '{"format": 1, "kinds": [{"kind": "user_id", "unique": true}]}'
    assert read_policy(yaml) == read_policy(json.encode()) == Policy((KindRule("user_id", 1),))


def test_unquoted_scalars_block_the_text_they_are() -> None:
    text = "{format: 1, kinds: [], blocked: [{kind: '*', values: [null, NULL, 0, 1.50, no, ~]}]}"
    assert read_policy(text).blocked[0].values == ("null", "0", "1.50", "no", "~")


def test_values_and_patterns_are_normalised_as_identifiers_are() -> None:
    policy = policy_of(
        {
            "format": 1,
            "kinds": [],
            "blocked": [
                {"kind": "email", "values": [" Test@Test.com "], "patterns": ["*@X.Invalid"]},
                {"kind": "phone", "values": ["+49 30 123456"]},
                {"kind": "user_id", "values": ["Guest", 0, None, True]},
            ],
        }
    )
    assert policy.blocked == (
        BlockRule("email", ("test@test.com",), ("*@x.invalid",)),
        BlockRule("phone", ("+4930123456",)),
        BlockRule("user_id", ("Guest", "0", "null", "true")),
    )


@given(_RULES)
def test_a_policy_is_read_back_from_its_document(rules: list[KindRule]) -> None:
    policy = Policy(tuple(rules), default_policy().blocked)
    assert policy_of(document_of(policy)) == policy
