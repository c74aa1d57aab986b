"""The section [indicator]: what it refuses."""

import pytest
from pydantic import ValidationError

from edge_fea.config import IndicatorSettings
from edge_fea.config.layers import load
from edge_fea.errors import ConfigError


def test_a_light_on_a_pin_needs_a_pin() -> None:
    with pytest.raises(ConfigError, match=r"indicator\.gpio_pin is needed"):
        load(overrides={"indicator.kind": "gpio"})
    assert IndicatorSettings(kind="gpio", gpio_pin=17).gpio_pin == 17


@pytest.mark.parametrize("key", ["gpio_pin", "button_pin"])
@pytest.mark.parametrize("pin", [-2, 0, 1, 28])
def test_pins_are_those_of_the_header(key: str, pin: int) -> None:
    with pytest.raises(ConfigError, match=rf"indicator\.{key}.*{pin}"):
        load(overrides={f"indicator.{key}": pin})


def test_light_and_button_need_a_pin_each() -> None:
    with pytest.raises(ConfigError, match="are both 4"):
        load(overrides={"indicator.gpio_pin": 4, "indicator.button_pin": 4})


@pytest.mark.parametrize("name", ["../../mem", "ACT/..", "a b", "PWR", "mmc0::"])
def test_a_light_is_one_that_the_service_may_write(name: str) -> None:
    with pytest.raises(ValidationError, match="led"):
        IndicatorSettings(led=name)


def test_the_power_light_is_refused_with_what_to_use() -> None:
    with pytest.raises(ConfigError, match=r"indicator\.led: must be ACT or led0.*kind gpio.*'PWR'"):
        load(overrides={"indicator.led": "PWR"})
