"""The graph of channels: who talks with whom, whose phone rings for whom, who is behind a dialled leg."""

import pytest

from ami_planfix.calls import events
from ami_planfix.calls.events import BridgeId, Uniqueid
from ami_planfix.calls.parties import Kind, Party
from ami_planfix.calls.pbx import Channel, Pbx, conversation, origin, ringing, talks
from ami_planfix.calls.reports import Extension


def party(name: str) -> Party:
    if name.startswith("Local/"):
        return Party(Kind.LOCAL, None, "", "", "")
    if name.startswith("PJSIP/1"):
        return Party(Kind.EMPLOYEE, Extension(name[6:9]), "", "", "")
    return Party(Kind.PROVIDER, None, "", "", "")


class Graph:
    """A mirror, and short names for what tests do with it."""

    def __init__(self) -> None:
        self.pbx = Pbx()

    def channel(self, name: str, state: int = events.UP) -> Channel:
        uniqueid = Uniqueid(f"id of {name}")
        snapshot = events.Channel(uniqueid, events.Linkedid(uniqueid), name, state, "", "", "", "")
        channel = Channel(snapshot, party(name))
        self.pbx.add(channel)
        return channel

    def local(self, exten: str) -> tuple[Channel, Channel]:
        name = f"Local/{exten}@from-internal-00000001"
        return self.channel(f"{name};1"), self.channel(f"{name};2")

    def talk(self, bridge: str, *channels: Channel, holding: bool = False) -> None:
        for channel in channels:
            self.pbx.enter(channel, BridgeId(bridge), holding=holding, swap=None)


@pytest.fixture
def graph() -> Graph:
    return Graph()


@pytest.fixture
def client(graph: Graph) -> Channel:
    return graph.channel("PJSIP/provider-00000001")


@pytest.fixture
def phone(graph: Graph) -> Channel:
    return graph.channel("PJSIP/101-00000002")


class TestConversation:
    """Who hears a channel."""

    def test_those_in_its_bridge(self, graph: Graph, client: Channel, phone: Channel) -> None:
        assert conversation(client) == []
        graph.talk("a", client, phone)
        assert conversation(client) == [phone]
        assert conversation(phone) == [client]

    def test_nobody_in_a_holding_bridge(self, graph: Graph, client: Channel, phone: Channel) -> None:
        graph.talk("a", client, phone, holding=True)
        assert conversation(client) == []

    def test_those_at_the_far_side_of_local_channels(self, graph: Graph, client: Channel, phone: Channel) -> None:
        one, two = graph.local("600")
        three, four = graph.local("101")
        graph.talk("a", client, one)
        graph.talk("b", two, three)
        assert phone not in conversation(client)
        graph.talk("c", four, phone)
        assert [channel for channel in conversation(client) if not channel.is_local] == [phone]
        assert [channel for channel in conversation(phone) if not channel.is_local] == [client]

    def test_a_phone_answered_for_a_local_channel_talks_only_once_somebody_is_behind_that(
        self, graph: Graph, client: Channel, phone: Channel
    ) -> None:
        one, two = graph.local("101")
        graph.talk("inner", phone, two)
        assert not talks(phone)
        graph.talk("outer", client, one)
        assert talks(phone)

    def test_a_ring_of_local_channels_comes_to_an_end(self, graph: Graph, client: Channel) -> None:
        one, two = graph.local("600")
        graph.talk("a", client, one, two)
        assert set(conversation(client)) == {one, two}

    def test_a_half_whose_twin_is_gone_leads_nowhere(self, graph: Graph, client: Channel, phone: Channel) -> None:
        one, two = graph.local("101")
        graph.talk("a", client, one)
        graph.talk("b", two, phone)
        graph.pbx.hang_up(two, 1.0, 16)
        assert conversation(client) == [one]


class TestRinging:
    """Whose phones ring for a channel."""

    def test_the_legs_that_it_dials(self, graph: Graph, client: Channel, phone: Channel) -> None:
        other = graph.channel("PJSIP/102-00000003")
        graph.pbx.dial(client, phone)
        graph.pbx.dial(client, other)
        assert list(ringing(client)) == [phone, other]
        graph.pbx.hang_up(phone, 1.0, 17)
        assert list(ringing(client)) == [other]

    def test_those_that_are_dialled_through_local_channels(self, graph: Graph, client: Channel, phone: Channel) -> None:
        one, two = graph.local("600")
        three, four = graph.local("101")
        graph.pbx.dial(client, one)
        graph.pbx.dial(two, three)
        graph.pbx.dial(four, phone)
        assert list(ringing(client)) == [phone]
        assert list(ringing(two)) == [phone]

    def test_not_those_of_the_one_it_talks_with(self, graph: Graph, client: Channel, phone: Channel) -> None:
        colleague = graph.channel("PJSIP/102-00000003")
        second_line = graph.channel("PJSIP/101-00000004")
        graph.talk("a", client, phone)
        graph.pbx.dial(second_line, colleague)
        assert list(ringing(client)) == []

    def test_the_target_of_a_feature_code_transfer_once_its_local_half_is_in_the_clients_bridge(
        self, graph: Graph, client: Channel, phone: Channel
    ) -> None:
        colleague = graph.channel("PJSIP/102-00000003")
        one, two = graph.local("102")
        graph.talk("with client", client)
        graph.talk("consultation", phone, one)
        graph.pbx.dial(two, colleague)
        assert list(ringing(client)) == []
        assert list(ringing(phone)) == [colleague]
        graph.talk("with client", one)
        assert list(ringing(client)) == [colleague]

    def test_channels_that_dial_each_other_come_to_an_end(self, graph: Graph, client: Channel, phone: Channel) -> None:
        graph.pbx.dial(client, phone)
        graph.pbx.dial(phone, client)
        assert list(ringing(client)) == [phone]


class TestOrigin:
    """For whom a leg is dialled."""

    def test_for_the_one_who_dials_it(self, phone: Channel) -> None:
        assert origin(phone) == [phone]

    def test_for_the_one_who_dials_the_local_channel(self, graph: Graph, phone: Channel) -> None:
        one, two = graph.local("79101234567")
        graph.pbx.dial(phone, one)
        assert origin(two) == [phone]

    def test_for_those_who_talk_at_its_far_side(self, graph: Graph, phone: Channel) -> None:
        one, two = graph.local("101")
        graph.talk("a", two, phone)
        assert origin(one) == [phone]

    def test_for_nobody_if_nobody_is_there(self, graph: Graph) -> None:
        one, two = graph.local("101")
        assert origin(one) == []
        assert origin(two) == []
        lonely = graph.channel("Local/102@x-00000009;1")
        assert origin(lonely) == []


class TestBridges:
    """Moves between bridges."""

    def test_a_channel_takes_the_place_of_another(self, graph: Graph, client: Channel, phone: Channel) -> None:
        one, _ = graph.local("101")
        graph.talk("a", client, one)
        graph.pbx.enter(phone, BridgeId("a"), holding=False, swap=one.uniqueid)
        assert conversation(client) == [phone]
        assert one.bridge is None

    def test_the_last_one_in_a_bridge_is_swapped_out_and_the_bridge_stays(
        self, graph: Graph, client: Channel, phone: Channel
    ) -> None:
        graph.talk("a", client)
        graph.pbx.enter(phone, BridgeId("a"), holding=False, swap=client.uniqueid)
        assert phone.bridge is graph.pbx.bridges[BridgeId("a")]
        assert list(phone.bridge.members.values()) == [phone]

    def test_entering_one_bridge_leaves_the_other(self, graph: Graph, client: Channel, phone: Channel) -> None:
        graph.talk("a", client, phone)
        graph.talk("b", phone)
        assert conversation(client) == []
        assert phone.bridge is graph.pbx.bridges[BridgeId("b")]

    def test_leaving_a_bridge_in_which_it_is_not_changes_nothing(
        self, graph: Graph, client: Channel, phone: Channel
    ) -> None:
        graph.talk("a", client, phone)
        graph.pbx.leave(phone, BridgeId("another"))
        assert conversation(client) == [phone]

    def test_a_merge_tells_who_is_about_to_move_and_moves_nobody_yet(
        self, graph: Graph, client: Channel, phone: Channel
    ) -> None:
        colleague = graph.channel("PJSIP/102-00000003")
        graph.talk("a", client)
        graph.talk("b", phone, colleague)
        assert set(graph.pbx.merge(BridgeId("b"))) == {phone, colleague}
        assert conversation(phone) == [colleague]
        graph.talk("a", colleague)
        assert conversation(client) == [colleague]

    def test_a_merge_of_a_bridge_that_nobody_knows_is_nobodys(self, graph: Graph, client: Channel) -> None:
        graph.talk("a", client)
        assert graph.pbx.merge(BridgeId("b")) == []
        assert client.bridge is graph.pbx.bridges[BridgeId("a")]

    def test_an_empty_bridge_is_forgotten(self, graph: Graph, client: Channel, phone: Channel) -> None:
        graph.talk("a", client, phone)
        graph.pbx.hang_up(client, 1.0, 16)
        graph.pbx.hang_up(phone, 1.0, 16)
        assert graph.pbx.bridges == {}
        assert graph.pbx.channels == {}


class TestTheDead:
    """A late event does not revive a channel."""

    def test_a_channel_that_hung_up_a_moment_ago_is_remembered(self, graph: Graph, phone: Channel) -> None:
        assert not graph.pbx.is_dead(phone.uniqueid)
        graph.pbx.hang_up(phone, 100.0, 16)
        assert graph.pbx.is_dead(phone.uniqueid)

    def test_also_if_times_are_a_little_out_of_order(self, graph: Graph, client: Channel, phone: Channel) -> None:
        graph.pbx.hang_up(phone, 100.0003, 16)
        graph.pbx.hang_up(client, 100.0001, 16)
        assert graph.pbx.is_dead(phone.uniqueid)
        assert graph.pbx.is_dead(client.uniqueid)


class TestGroups:
    """What one event changes is inside one group."""

    def test_dialling_and_talking_connect_and_holding_does_not(
        self, graph: Graph, client: Channel, phone: Channel
    ) -> None:
        other = graph.channel("PJSIP/provider-00000009")
        graph.talk("parking", client, other, holding=True)
        assert client.group is not other.group
        graph.pbx.dial(client, phone)
        assert client.group is phone.group
        assert set(client.group.living.values()) == {client, phone}

    def test_the_halves_of_a_local_channel_belong_together(self, graph: Graph) -> None:
        one, two = graph.local("101")
        assert one.twin is two
        assert two.twin is one
        assert one.group is two.group
