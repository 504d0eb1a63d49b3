import pytest

from shared.journey.bundled import BUNDLED, bundled_model
from shared.journey.loading import load_model


@pytest.mark.parametrize("key", BUNDLED)
def test_every_bundled_model_loads_under_its_own_key(key: str) -> None:
    model = load_model(bundled_model(key))
    assert model.key == key
    assert len(model.examples) >= 5


@pytest.mark.parametrize("key", BUNDLED)
def test_every_bundled_model_says_that_its_numbers_are_opinions(key: str) -> None:
    assert "opinion" in bundled_model(key)


def test_the_default_model_has_six_stages_and_ten_examples() -> None:
    model = load_model(bundled_model("default"))
    assert len(model.stages) == 6
    assert len(model.examples) >= 10


def test_there_is_no_other() -> None:
    with pytest.raises(KeyError):
        bundled_model("../default")
