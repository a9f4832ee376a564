"""The AMI user that we recommend lets pass what we use, and nothing else."""

import re
from pathlib import Path

from ami_planfix.ami import decode, wanted

SNIPPET = (Path(__file__).parents[2] / "asterisk" / "manager.conf").read_text("utf-8")
NEW, OLD = SNIPPET.split("; Older ones:")
USED = {name.decode() for name in decode.SHAPES}


def test_rights_are_the_least() -> None:
    assert re.findall(r"^(read|write) = (.*)$", SNIPPET, re.MULTILINE) == [
        ("read", "call,dialplan,user"),
        ("write", "originate,reporting"),
    ]


def test_the_new_filter_names_every_event_that_is_used() -> None:
    assert set(re.findall(r"name\((\w+)\)", NEW)) == USED


def test_the_old_filter_names_every_event_that_is_used() -> None:
    named = {name for names in re.findall(r"= Event: \(?([\w|]+)\)?", OLD) for name in names.split("|")}
    assert named | {"Newexten", "VarSet", "UserEvent"} == USED


def test_both_filters_let_the_variables_and_applications_pass_that_are_used() -> None:
    new = re.findall(r"header\((?:Application|Variable)\),method\(regex\)\) = (.*)$", NEW, re.MULTILINE)
    old = re.findall(r"(?:Application|Variable): (.*)$", OLD, re.MULTILINE)
    for application, variable in (new, old):
        for name in wanted.APPLICATIONS:
            assert re.match(application, name)
        for name in wanted.VARIABLES:
            assert re.match(variable, name)
            assert re.match(variable, f"__{name}")
        assert re.match(variable, f"{wanted.DATA_PREFIX}X")
        assert not re.match(variable, "SIPDOMAIN")


def test_both_filters_let_choices_in_menus_pass() -> None:
    new = re.findall(r"name\(Newexten\),method\(regex\)\) = (.*)$", NEW, re.MULTILINE)
    old = re.findall(r"^;eventfilter = (Priority.*)$", OLD, re.MULTILINE)
    assert new == old
    (choice,) = new
    said = "Exten: {0}\r\nPriority: {1}\r\nUniqueid: 1.1\r\nLinkedid: 1.1\r\nExtension: {0}\r\nApplication: Goto\r\n"
    for exten in ("1", "*", "#", "101", "123456"):
        assert re.search(choice, said.format(exten, 1), re.DOTALL)
    for exten, priority in (("1", 2), ("1", 10), ("s", 1), ("i", 1), ("74951230001", 1)):
        assert not re.search(choice, said.format(exten, priority), re.DOTALL)


def test_both_filters_let_our_user_event_pass() -> None:
    assert re.findall(r"header\(UserEvent\),method\(exact\)\) = (.*)$", NEW, re.MULTILINE) == [wanted.USER_EVENT]
    assert re.findall(r"^;eventfilter = UserEvent: (.*)$", OLD, re.MULTILINE) == [wanted.USER_EVENT]
