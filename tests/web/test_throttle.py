"""Wrong tokens are answered ever more slowly, per address."""

from ipaddress import ip_address

from ami_planfix.web.throttle import FORGIVEN_AFTER, LONGEST_PAUSE, MOST_ADDRESSES, WrongTokens

ATTACKER = ip_address("203.0.113.9")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_each_wrong_token_of_an_address_waits_longer_up_to_a_limit() -> None:
    clock = Clock()
    wrong = WrongTokens(clock)
    pauses = []
    for _ in range(8):
        _, pause = wrong.count(ATTACKER)
        pauses.append(pause)
        clock.now += pause
    assert pauses == [0.5, 1, 2, 4, 8, 10, 10, 10]
    assert max(pauses) == LONGEST_PAUSE


def test_guesses_in_parallel_wait_one_after_another() -> None:
    wrong = WrongTokens(Clock())
    assert [wrong.count(ATTACKER)[1] for _ in range(4)] == [0.5, 1.5, 3.5, 7.5]


def test_addresses_do_not_slow_each_other() -> None:
    wrong = WrongTokens(Clock())
    for _ in range(5):
        wrong.count(ATTACKER)
    assert wrong.count(ip_address("203.0.113.10")) == (1, 0.5)


def test_an_ipv6_network_counts_as_one_address() -> None:
    wrong = WrongTokens(Clock())
    wrong.count(ip_address("2001:db8:0:1::1"))
    assert wrong.count(ip_address("2001:db8:0:1:ffff::2"))[0] == 2
    assert wrong.count(ip_address("2001:db8:0:2::1"))[0] == 1


def test_after_a_quiet_time_an_address_begins_anew() -> None:
    clock = Clock()
    wrong = WrongTokens(clock)
    wrong.count(ATTACKER)
    clock.now += FORGIVEN_AFTER + 1
    assert wrong.count(ATTACKER) == (1, 0.5)


def test_memory_is_bounded_whatever_addresses_come() -> None:
    wrong = WrongTokens(Clock())
    wrong.count(ATTACKER)
    base = int(ip_address("10.0.0.0"))
    for n in range(MOST_ADDRESSES):
        wrong.count(ip_address(base + n))
    assert wrong.count(ATTACKER)[0] == 1, "the oldest was dropped for the newer ones"
