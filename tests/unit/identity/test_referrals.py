from typing import Final

import pytest

from shared.identity.referrals import referrer_in
from shared.touchpoints import Identifier

CUSTOMER_ID: Final = "9d4de4db-fd82-5efa-96ea-0cf80f383dc5"


def test_the_referrer_is_spelt_as_ingest_spells_identifiers() -> None:
    assert referrer_in({"referred_by": "email: Ana@Example.com "}) == Identifier(
        "email", "ana@example.com"
    )


@pytest.mark.parametrize("named", ["ana", "", "email:", 7, None, ["user_id:ana"], CUSTOMER_ID])
def test_what_is_no_identifier_refers_to_nobody(named: object) -> None:
    assert referrer_in({"referred_by": named}) is None
    assert referrer_in({}) is None
