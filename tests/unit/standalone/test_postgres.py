"""The address of the embedded PostgreSQL."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from services.standalone.postgres import PostgresAddress
from services.standalone.postgres_binaries import bundled_major, postgres_program

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(words, words, words, words)
def test_whatever_is_in_an_address_comes_out_of_its_dsn(
    folder: str, user: str, password: str, database: str
) -> None:
    address = PostgresAddress(Path("/run") / folder, 5432, user, password, database)
    url = make_url(address.dsn)
    assert url.drivername == "postgresql+asyncpg"
    assert (url.username, url.password, url.database) == (user, password, database)
    assert url.query == {"host": str(address.socket_directory), "port": "5432"}


def test_the_bundled_programs_are_of_the_version_they_say() -> None:
    assert bundled_major() == 18
    assert postgres_program("initdb").is_file()
