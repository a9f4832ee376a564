"""Raw messages to the tracker's events, on what real Asterisks said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_planfix.ami import decode as decoding
from ami_planfix.ami import wanted
from ami_planfix.ami.decode import decode
from ami_planfix.calls import events
from ami_planfix.calls.events import BridgeId, Channel, Linkedid, Uniqueid

ARRIVAL = 1_800_000_000.0
CLIENT = Channel(
    uniqueid=Uniqueid("1795440937.8"),
    linkedid=Linkedid("1795440937.7"),
    name="PJSIP/provider-00000008",
    state=4,
    caller="79101234567",
    connected="",
    context="from-trunk",
    exten="74951230001",
)


def channel_lines(prefix: str = "", uniqueid: str = "1795440937.8") -> list[str]:
    return [
        f"{prefix}Channel: PJSIP/provider-00000008",
        f"{prefix}ChannelState: 4",
        f"{prefix}ChannelStateDesc: Ring",
        f"{prefix}CallerIDNum: 79101234567",
        f"{prefix}CallerIDName: <unknown>",
        f"{prefix}ConnectedLineNum: <unknown>",
        f"{prefix}ConnectedLineName: <unknown>",
        f"{prefix}Language: en",
        f"{prefix}AccountCode: ",
        f"{prefix}Context: from-trunk",
        f"{prefix}Exten: 74951230001",
        f"{prefix}Priority: 1",
        f"{prefix}Uniqueid: {uniqueid}",
        f"{prefix}Linkedid: 1795440937.7",
    ]


def message(name: str, *lines: str, privilege: str = "call,all", at: str = "1795440937.435512") -> bytes:
    return "\r\n".join([f"Event: {name}", f"Privilege: {privilege}", f"Timestamp: {at}", *lines]).encode()


class TestOrdinaryEvents:
    def test_a_channel_is_read_from_its_headers(self) -> None:
        heard = decode(message("Newchannel", *channel_lines()), ARRIVAL)
        assert heard == events.Newchannel(1795440937.435512, CLIENT)

    def test_a_leg_without_a_caller_has_none(self) -> None:
        heard = decode(message("DialBegin", *channel_lines("Dest"), "DialString: 101"), ARRIVAL)
        assert heard == events.DialBegin(1795440937.435512, None, CLIENT, "101")

    def test_a_dialled_leg_has_both(self) -> None:
        raw = message(
            "DialEnd", *channel_lines(uniqueid="1.1"), *channel_lines("Dest"), "DialStatus: CANCEL", "Forward: 102"
        )
        caller = CLIENT._replace(uniqueid=Uniqueid("1.1"))
        assert decode(raw, ARRIVAL) == events.DialEnd(1795440937.435512, caller, CLIENT, "CANCEL", "102")

    def test_causes_may_be_missing(self) -> None:
        request = decode(message("HangupRequest", *channel_lines()), ARRIVAL)
        assert request == events.HangupRequest(1795440937.435512, CLIENT, None, "")
        hangup = decode(message("Hangup", *channel_lines(), "Cause: 21", "TechCause: 603"), ARRIVAL)
        assert hangup == events.Hangup(1795440937.435512, CLIENT, 21, "603")

    def test_bridges_tell_who_was_replaced(self) -> None:
        bridge = [
            "BridgeUniqueid: b-1",
            "BridgeType: basic",
            "BridgeTechnology: simple_bridge",
            "BridgeCreator: <unknown>",
        ]
        raw = message("BridgeEnter", *bridge, *channel_lines(), "SwapUniqueid: 1.9")
        assert decode(raw, ARRIVAL) == events.BridgeEnter(
            1795440937.435512, BridgeId("b-1"), "basic", "simple_bridge", CLIENT, Uniqueid("1.9")
        )

    def test_merges_name_both_bridges(self) -> None:
        raw = message("BridgeMerge", "ToBridgeUniqueid: b-1", "FromBridgeUniqueid: b-2")
        assert decode(raw, ARRIVAL) == events.BridgeMerge(1795440937.435512, BridgeId("b-1"), BridgeId("b-2"))

    def test_recordings_are_paused_and_go_on(self) -> None:
        raw = message("MixMonitorMute", *channel_lines(), "Direction: both", "State: 1")
        assert decode(raw, ARRIVAL) == events.MixMonitorMute(1795440937.435512, CLIENT, muted=True)

    def test_a_new_name_keeps_the_uniqueid(self) -> None:
        raw = message("Rename", "Channel: A-1", "Newname: B-1", "Uniqueid: 1.1")
        assert decode(raw, ARRIVAL) == events.Rename(1795440937.435512, Uniqueid("1.1"), "B-1")

    def test_bare_line_feeds_are_read_too(self) -> None:
        raw = message("Newchannel", *channel_lines())
        assert decode(raw.replace(b"\r\n", b"\n"), ARRIVAL) == decode(raw, ARRIVAL)

    def test_another_order_of_headers_is_read_too(self) -> None:
        raw = message("Newchannel", *reversed(channel_lines()))
        assert decode(raw, ARRIVAL) == events.Newchannel(1795440937.435512, CLIENT)

    def test_a_name_in_another_encoding_does_not_matter_to_the_rest(self) -> None:
        lines = channel_lines()
        raw = message("Newchannel", *lines).replace(b"<unknown>", "Пётр".encode("cp1251"), 1)
        assert decode(raw, ARRIVAL) == events.Newchannel(1795440937.435512, CLIENT)


class TestPeeking:
    @pytest.mark.parametrize("name", [*sorted(wanted.VARIABLES), "PLANFIX_DATA_utm_source"])
    @pytest.mark.parametrize("inherited", ["", "_", "__"])
    def test_wanted_variables_are_decoded_without_their_marks(self, name: str, inherited: str) -> None:
        raw = message("VarSet", *channel_lines(), f"Variable: {inherited}{name}", "Value: a, b")
        assert decode(raw, ARRIVAL) == events.VarSet(1795440937.435512, CLIENT, name, "a, b")

    @pytest.mark.parametrize("name", ["SIPDOMAIN", "DIALEDPEERNAME", "XFROM_DID", "MACRO_DEPTH"])
    def test_other_variables_are_dropped(self, name: str) -> None:
        raw = message("VarSet", *channel_lines(), f"Variable: {name}", "Value: FROM_DID")
        assert decode(raw, ARRIVAL) is None

    def test_a_global_variable_has_no_channel(self) -> None:
        raw = message("VarSet", "Channel: none", "Uniqueid: none", "Variable: FROM_DID", "Value: 1")
        assert decode(raw, ARRIVAL) == events.VarSet(1795440937.435512, None, "FROM_DID", "1")

    @pytest.mark.parametrize("line", ["Variable:FROM_DID", "Variable: FROM_DID"])
    def test_a_variable_at_the_end_is_found(self, line: str) -> None:
        raw = message("VarSet", *channel_lines(), line)
        assert decode(raw, ARRIVAL) == events.VarSet(1795440937.435512, CLIENT, "FROM_DID", "")

    def test_only_applications_that_are_used_are_decoded(self) -> None:
        dial = message("Newexten", *channel_lines(), "Extension: s", "Application: Dial", "AppData: PJSIP/101,30")
        assert decode(dial, ARRIVAL) == events.Newexten(1795440937.435512, CLIENT, "Dial", "PJSIP/101,30")
        assert decode(dial.replace(b"Application: Dial", b"Application: NoOp"), ARRIVAL) is None
        assert decode(dial.replace(b"Application: Dial", b"Application:Queue"), ARRIVAL) == events.Newexten(
            1795440937.435512, CLIENT, "Queue", "PJSIP/101,30"
        )

    @pytest.mark.parametrize("exten", ["1", "0", "*", "#", "101", "*12345"])
    def test_what_may_have_been_chosen_in_a_menu_is_decoded_whatever_it_runs(self, exten: str) -> None:
        lines = channel_lines()
        lines[1], lines[10] = "ChannelState: 6", f"Exten: {exten}"
        raw = message("Newexten", *lines, f"Extension: {exten}", "Application: Goto", "AppData: ext-group,600,1")
        heard = decode(raw, ARRIVAL)
        channel = CLIENT._replace(state=events.UP, exten=exten)
        assert heard == events.Newexten(1795440937.435512, channel, "Goto", "ext-group,600,1")
        for here, there in (
            (b"Priority: 1\r", b"Priority: 2\r"),
            (b"State: 6\r", b"State: 4\r"),
            (b"Channel: PJSIP/", b"Channel: Local/"),
        ):
            assert decode(raw.replace(here, there), ARRIVAL) is None

    @pytest.mark.parametrize("exten", ["", "s", "i", "t", "h", "1a", "1234567", "74951230001"])
    def test_other_extens_are_no_choices(self, exten: str) -> None:
        raw = message("Newexten", *channel_lines(), f"Extension: {exten}", "Application: Goto", "AppData: 1")
        assert decode(raw, ARRIVAL) is None


class TestUserEvents:
    def told(self, *lines: str, channel: bool = True) -> events.Event | None:
        return decode(
            message("UserEvent", *(channel_lines() if channel else ()), *lines, privilege="user,all"), ARRIVAL
        )

    def test_ours_is_decoded_with_all_that_it_tells(self) -> None:
        heard = self.told("UserEvent: PlanfixData", "utm_source: site", "note: a: b", "empty: ", "Context: sales")
        data = (("utm_source", "site"), ("note", "a: b"), ("empty", ""), ("Context", "sales"))
        assert heard == events.UserEvent(1795440937.435512, CLIENT.uniqueid, data)

    def test_a_program_names_the_channel(self) -> None:
        heard = self.told("UserEvent: PlanfixData", "ActionID: 7", "Uniqueid: 1.1", "a: 1", channel=False)
        assert heard == events.UserEvent(1795440937.435512, Uniqueid("1.1"), (("a", "1"),))

    def test_no_dialplan_tells_of_another_channel_than_its_own(self) -> None:
        heard = self.told("UserEvent: PlanfixData", "Uniqueid: 6.6", "a: 1")
        assert heard == events.UserEvent(1795440937.435512, CLIENT.uniqueid, (("a", "1"),))

    @pytest.mark.parametrize("lines", [("UserEvent: Other", "a: 1"), ("UserEvent: Other", "UserEvent: PlanfixData")])
    def test_others_are_dropped(self, lines: tuple[str, ...]) -> None:
        assert self.told(*lines) is None

    def test_one_that_names_no_channel_is_nothing(self) -> None:
        assert self.told("UserEvent: PlanfixData", "a: 1", channel=False) is None


class TestGarbage:
    @pytest.mark.parametrize("name", sorted(name.decode() for name in decoding.SHAPES))
    def test_an_event_without_anything_is_nothing(self, name: str) -> None:
        heard = decode(f"Event: {name}".encode(), ARRIVAL)
        assert heard is None

    @pytest.mark.parametrize("at", ["", "soon", "-1", "0", "nan", "inf", "1e300", "9" * 5000])
    def test_a_time_that_is_none_is_that_of_the_arrival(self, at: str) -> None:
        heard = decode(message("Newchannel", *channel_lines(), at=at), ARRIVAL)
        assert heard == events.Newchannel(ARRIVAL, CLIENT)

    @pytest.mark.parametrize("number", ["", "x", "1.5", "9" * 5000])
    def test_a_number_that_is_none_becomes_the_default(self, number: str) -> None:
        heard = decode(message("Hangup", *channel_lines(), f"Cause: {number}"), ARRIVAL)
        assert heard == events.Hangup(1795440937.435512, CLIENT, 0, "")

    def test_a_channel_without_an_id_is_no_channel(self) -> None:
        assert decode(message("Newchannel", *channel_lines(uniqueid="")), ARRIVAL) is None

    @pytest.mark.parametrize("header", ["Uniqueid", "Linkedid"])
    def test_nor_is_one_whose_id_no_database_has_room_for(self, header: str) -> None:
        """With PostgreSQL all that follows it would wait for ever to be written."""
        for length, is_one in ((decoding.LONGEST_ID, True), (decoding.LONGEST_ID + 1, False)):
            lines = [f"{header}: {'1' * length}" if one.startswith(header) else one for one in channel_lines()]
            assert (decode(message("Newchannel", *lines), ARRIVAL) is not None) == is_one

    @given(st.sampled_from(sorted(decoding.SHAPES)), st.binary(), st.integers(0, 900))
    def test_nothing_makes_it_raise(self, name: bytes, noise: bytes, place: int) -> None:
        raw = b"Event: " + name + b"\r\n" + message("X", *channel_lines(), *channel_lines("Dest"))
        decode(raw[:place] + noise + raw[place:], ARRIVAL)
        decode(raw[:place], ARRIVAL)


class TestMemory:
    def test_events_of_a_call_share_their_strings(self) -> None:
        first = decode(message("Newchannel", *channel_lines()), ARRIVAL)
        second = decode(message("Newstate", *channel_lines()), ARRIVAL)
        assert isinstance(first, events.Newchannel)
        assert isinstance(second, events.Newstate)
        assert first.channel.uniqueid is second.channel.uniqueid
        assert first.channel.name is second.channel.name
