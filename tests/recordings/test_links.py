"""Links: what they look like, that nobody can make one, and that a new key ends them."""

from pathlib import PurePosixPath

from ami_planfix.recordings.links import Links, elsewhere
from ami_planfix.storage.settings import Settings
from tests.recordings.conftest import NOW, PUBLIC, Place

CALLID, FILE = "1700000000.1", "in-1.wav"


def parts_of(link: str) -> tuple[str, str]:
    assert link.startswith(f"{PUBLIC}/recordings/")
    signature, file = link.removeprefix(f"{PUBLIC}/recordings/").split("/")
    return signature, file


class TestSignature:
    async def test_a_link_has_a_signature_and_the_callid(self, place: Place) -> None:
        signature, file = parts_of(place.links.link(CALLID, FILE, ".mp3"))
        assert file == f"{CALLID}.mp3"
        assert len(signature) == 32
        assert place.links.is_signed(signature, CALLID, FILE)

    async def test_it_is_of_this_call_and_this_file_alone(self, place: Place) -> None:
        signature = place.links.signature(CALLID, FILE)
        assert not place.links.is_signed(signature, "1700000000.2", FILE)
        assert not place.links.is_signed(signature, CALLID, "in-2.wav")
        assert not place.links.is_signed(signature[:-1] + "0", CALLID, FILE) or signature[-1] == "0"
        assert not place.links.is_signed("", CALLID, FILE)
        assert place.links.signature("a", "bc") != place.links.signature("ab", "c")

    async def test_it_survives_a_restart(self, place: Place) -> None:
        again = Links(Settings(place.database), PUBLIC)
        await again.load()
        assert again.link(CALLID, FILE, ".mp3") == place.links.link(CALLID, FILE, ".mp3")

    async def test_another_installation_has_another_key(self, place: Place) -> None:
        first = place.links.signature(CALLID, FILE)
        await place.links.renew()
        assert place.links.signature(CALLID, FILE) != first

    async def test_a_new_key_ends_all_links_also_after_a_restart_and_at_the_other_daemon(self, place: Place) -> None:
        other = Links(Settings(place.database), PUBLIC)
        await other.load()
        signature = place.links.signature(CALLID, FILE)
        await place.links.renew()
        assert not place.links.is_signed(signature, CALLID, FILE)
        await other.refresh()
        assert not other.is_signed(signature, CALLID, FILE)
        assert other.is_signed(place.links.signature(CALLID, FILE), CALLID, FILE)

    async def test_a_callid_cannot_add_a_step_to_the_path(self, place: Place) -> None:
        assert parts_of(place.links.link("../a/b?c#d\r\n", FILE, ".mp3"))[1] == "..%2Fa%2Fb%3Fc%23d%0D%0A.mp3"


class TestElsewhere:
    def test_the_address_is_filled_in_and_quoted(self) -> None:
        template = "https://records.example.com/{year}-{month}/{path}?name={name}&call={callid}"
        link = elsewhere(template, "pbx-1.2", PurePosixPath("2023/11/a b&c.wav"), NOW)
        assert link == "https://records.example.com/2023-11/2023/11/a%20b%26c.wav?name=a%20b%26c.wav&call=pbx-1.2"
