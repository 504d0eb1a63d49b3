from services.api.receipts import MOST_REMEMBERED, FirstAsked

ID = ("web", "e1")


def test_what_was_just_asked_for_may_still_lie_in_the_log() -> None:
    assert FirstAsked().may_come(ID, now=100, watermark=99)


def test_once_the_log_is_read_beyond_the_first_question_it_cannot_come() -> None:
    asked = FirstAsked()
    asked.may_come(ID, now=100, watermark=99)
    assert asked.may_come(ID, now=105, watermark=99)
    assert not asked.may_come(ID, now=110, watermark=100)


def test_a_question_after_that_begins_anew() -> None:
    asked = FirstAsked()
    asked.may_come(ID, now=100, watermark=50)
    asked.may_come(ID, now=110, watermark=100)
    assert asked.may_come(ID, now=120, watermark=115)


def test_while_nobody_knows_how_far_the_log_is_read_it_may_come() -> None:
    assert FirstAsked().may_come(ID, now=100, watermark=None)


def test_the_oldest_questions_are_forgotten() -> None:
    asked = FirstAsked()
    for number in range(MOST_REMEMBERED + 1):
        asked.may_come(("web", str(number)), now=100, watermark=0)
    assert asked.may_come(("web", "0"), now=200, watermark=150)
    assert not asked.may_come(("web", "2"), now=200, watermark=150)
