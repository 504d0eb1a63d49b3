import pytest

from services.api.etags import holds, weak_etag

TAG = weak_etag(b"content")


def test_equal_content_has_an_equal_weak_tag() -> None:
    assert weak_etag(b"content") == TAG
    assert TAG.startswith('W/"')


def test_other_content_has_another_tag() -> None:
    assert weak_etag(b"other content") != TAG


@pytest.mark.parametrize(
    "header", [TAG, TAG.removeprefix("W/"), f'"abc", {TAG}', f'{TAG},W/"x"', "*"]
)
def test_a_reader_who_names_the_tag_holds_it(header: str) -> None:
    assert holds(header, TAG)


@pytest.mark.parametrize("header", [None, "", '"abc"', TAG.strip('W/"')])
def test_a_reader_who_names_others_does_not_hold_it(header: str | None) -> None:
    assert not holds(header, TAG)
