from hypothesis import given
from hypothesis import strategies as st

from services.api.ledger import LedgerRow, PartitionClaim, ledger_rows, total

counts = st.integers(0, 1_000)
classified = st.builds(LedgerRow, counts, counts, counts, counts, counts)


@given(st.lists(classified, max_size=4), st.lists(counts, min_size=4, max_size=4))
def test_the_log_holds_exactly_what_became_something_and_what_is_pending(
    rows: list[LedgerRow], waiting: list[int]
) -> None:
    claims = [
        PartitionClaim("t", number, row.log_end, row, present=True)
        for number, row in enumerate(rows)
    ]
    ends = {claim.partition: claim.next_offset + waiting[claim.partition] for claim in claims}
    ledger = ledger_rows(claims, ends, "t")
    assert [line.row.log_end for line in ledger] == list(ends.values())
    assert total(ledger).log_end == sum(ends.values())
    assert total(ledger).pending == sum(waiting[: len(rows)])


def test_a_partition_that_nobody_has_read_is_all_pending() -> None:
    ledger = ledger_rows([], {3: 7}, "t")
    assert [line.document() for line in ledger] == [
        {
            "topic": "t",
            "partition": 3,
            "log_end": 7,
            "stored": 0,
            "duplicate": 0,
            "quarantined": 0,
            "erased": 0,
            "gaps": 0,
            "pending": 7,
        }
    ]


def test_a_log_that_is_no_longer_in_use_keeps_its_counts_and_has_nothing_pending() -> None:
    former = PartitionClaim("t", 0, 9, LedgerRow(stored=9), present=False)
    present = PartitionClaim("t", 0, 2, LedgerRow(stored=2), present=True)
    ledger = ledger_rows([present, former], {0: 5}, "t")
    assert [(line.row.log_end, line.row.pending) for line in ledger] == [(5, 3), (9, 0)]
