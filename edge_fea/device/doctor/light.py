"""Whether the light shows what the device does: without one, the room is recorded unseen."""

from edge_fea.device.doctor.findings import Case, Verdict, bad, ok, warn
from edge_fea.device.doctor.rights import service_account
from edge_fea.device.light_outputs import BOARD_LEDS, LEDS

_OTHER = "put a lamp on a pin (indicator.kind = gpio, docs/led.md), or set indicator.kind = none"
_RULE = "sudo udevadm trigger --subsystem-match=leds; then sudo systemctl restart edge-fea"


def light(case: Case) -> Verdict:
    """Whether there is a light, and the service can use it."""
    settings = case.settings.indicator
    if settings.kind == "none":
        return ok("none, as indicator.kind says: nobody in the room sees what the device does")
    if settings.kind == "gpio":
        return _pin(case)
    # The service goes on without a light where it may choose one, and refuses to otherwise.
    fails = bad if settings.kind == "sysfs" else warn
    names = (settings.led,) if settings.led else BOARD_LEDS
    found = case.machine.names(str(LEDS))
    name = next((name for name in names if name in found), None)
    if name is None:
        return fails(
            f"nothing shows what the device does: there is no {' or '.join(names)} in {LEDS}",
            _OTHER,
        )
    account = service_account(case)
    files = [case.machine.at(f"{LEDS}/{name}/{file}") for file in ("brightness", "trigger")]
    if not all(each.exists() and account.may_write(each) for each in files):
        return fails(
            f"nothing shows what the device does: {LEDS}/{name} is not for {account.name}", _RULE
        )
    if case.recorder is not None and "[none]" not in (
        case.machine.text(f"{LEDS}/{name}/trigger") or ""
    ):
        return fails(
            f"nothing shows what the device does: process {case.recorder} records and does not "
            f"hold {LEDS}/{name}",
            "sudo systemctl restart edge-fea; the log says what keeps it from it",
        )
    return ok(f"the board's own ({name})")


def _pin(case: Case) -> Verdict:
    text = f"a lamp on pin {case.settings.indicator.gpio_pin}"
    chips = [name for name in case.machine.names("/dev") if name.startswith("gpiochip")]
    if not chips:
        return bad(f"{text}, but this machine has no pins", "set indicator.kind = auto")
    account = service_account(case)
    if not any(account.may_write(case.machine.at(f"/dev/{name}")) for name in chips):
        return bad(
            f"{text}, but the pins are not for {account.name}",
            f"sudo usermod -aG gpio {account.name}; then sudo systemctl restart edge-fea",
        )
    return ok(text)
