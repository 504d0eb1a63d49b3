import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.cursors import Cursors
from shared.errors import Unreadable


class Mark(msgspec.Struct, frozen=True, array_like=True):
    at: int
    name: str


class OtherMark(msgspec.Struct, frozen=True, array_like=True):
    at: str


CURSORS = Cursors(b"secret")
QUESTION = ["timeline", "user_id:u_1", 50]


@given(st.integers(-(2**62), 2**62), st.text(max_size=50))
def test_a_mark_comes_back_as_it_was(at: int, name: str) -> None:
    mark = Mark(at, name)
    assert CURSORS.open(CURSORS.seal(mark, QUESTION), QUESTION, Mark) == mark


@given(st.data())
def test_no_changed_character_is_accepted(data: st.DataObject) -> None:
    cursor = CURSORS.seal(Mark(7, "x"), QUESTION)
    place = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.characters().filter(lambda character: character != cursor[place]))
    with pytest.raises(Unreadable):
        CURSORS.open(cursor[:place] + other + cursor[place + 1 :], QUESTION, Mark)


@given(st.text(max_size=100))
def test_no_invented_text_is_accepted(text: str) -> None:
    with pytest.raises(Unreadable) as refused:
        CURSORS.open(text, QUESTION, Mark)
    assert refused.value.code == "bad_cursor"


def test_a_cursor_belongs_to_its_question() -> None:
    cursor = CURSORS.seal(Mark(7, "x"), QUESTION)
    with pytest.raises(Unreadable):
        CURSORS.open(cursor, ["timeline", "user_id:u_2", 50], Mark)


def test_a_cursor_of_another_deployment_is_refused() -> None:
    cursor = Cursors(b"other").seal(Mark(7, "x"), QUESTION)
    with pytest.raises(Unreadable):
        CURSORS.open(cursor, QUESTION, Mark)


def test_a_signed_mark_of_an_older_shape_is_refused_instead_of_misread() -> None:
    cursor = CURSORS.seal(OtherMark("x"), QUESTION)
    with pytest.raises(Unreadable):
        CURSORS.open(cursor, QUESTION, Mark)


def test_a_cursor_of_absurd_length_is_refused() -> None:
    with pytest.raises(Unreadable):
        CURSORS.open("A" * 1_000_000, QUESTION, Mark)
