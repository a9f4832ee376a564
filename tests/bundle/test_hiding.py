"""What nobody may see is in no text, and what remains can still be read."""

import json
from urllib.parse import quote, urlencode

import pytest

from ami_planfix.bundle.hiding import NAME, Hiding

KEY = b"a key of this test"
SECRET = "hush/hüsh+\"word'&=%"


def hiding(*secrets: str, keep_numbers: bool = False) -> Hiding:
    return Hiding(secrets, KEY, keep_numbers)


class TestSecrets:
    @pytest.mark.parametrize(
        "written",
        [
            SECRET, quote(SECRET, safe=""), urlencode({"x": SECRET}), json.dumps({"x": SECRET}),
            json.dumps({"x": SECRET}, ensure_ascii=False), SECRET.encode().hex(),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("numbers", [True, False])
    def test_a_known_one_is_found_however_it_is_written(self, written: str, numbers: bool) -> None:
        hidden = hiding(SECRET, keep_numbers=numbers).hide(f"before {written} after")
        assert "hush" not in hidden
        assert SECRET.encode().hex() not in hidden
        assert hidden.startswith("before ")

    def test_one_that_nobody_knew_is_found_by_its_name(self) -> None:
        assert "hush" not in hiding().hide("Secret: hush\ntoken=hush&x=1\npassword: hush")

    def test_a_password_in_an_address_is_found(self) -> None:
        assert hiding().hide("postgresql://planfix:hush@db/x") == "postgresql://planfix:[redacted]@db/x"

    def test_a_secret_within_another_is_no_hole(self) -> None:
        assert "hush" not in hiding("hush", "hush-hush-very-much").hide("hush-hush-very-much and hush")


class TestNumbers:
    def test_the_same_number_is_the_same_everywhere_and_another_is_another(self) -> None:
        one, again, other = hiding().hide("79161234567 79161234567 79167654321").split()
        assert one == again
        assert one != other
        assert one.startswith("7916")
        assert len(one) == 11
        assert "1234567" not in one

    def test_with_and_without_the_country_it_is_the_same_line(self) -> None:
        whole, home = hiding().hide("79161234567 89161234567").split()
        assert whole[-7:] == home[-7:]

    def test_another_bundle_hides_otherwise(self) -> None:
        text = "79161234567"
        assert hiding().hide(text) != Hiding((), b"another key").hide(text)

    @pytest.mark.parametrize(
        "kept",
        [
            "Uniqueid: 1795441050.145", "Timestamp: 1795634808.933771", "Channel: PJSIP/101-00000012", "101 4583 8443",
            "2026/03/07/out-20260307-101500", "22.10.1+dfsg+~cs6.17.60671434-1", "192.168.100.200",
            '"bytes_read": 12345678',
        ],
    )  # fmt: skip
    def test_what_is_no_telephone_number_stays(self, kept: str) -> None:
        assert hiding().hide(kept) == kept

    def test_they_stay_if_they_are_wanted(self) -> None:
        assert hiding(keep_numbers=True).hide("79161234567 Иванов") == "79161234567 Иванов"


class TestNames:
    CAPTURE = (
        "Event: Newchannel\r\nCallerIDNum: 101\r\nCallerIDName: Иванов Пётр\r\nConnectedLineName: <unknown>\r\n"
        "\r\nEvent: VarSet\r\nValue: to Иванов Пётр\r\n"
    )

    def test_callers_are_hidden_wherever_they_stand(self) -> None:
        found = hiding()
        found.learn(self.CAPTURE)
        hidden = found.hide(self.CAPTURE)
        assert "Иванов" not in hidden
        assert f"Value: to {NAME}" in hidden
        assert "<unknown>" in hidden
        assert "CallerIDNum: 101" in hidden
