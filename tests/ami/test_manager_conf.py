"""The AMI user that we recommend lets pass what we use, and nothing else."""

import re
from pathlib import Path

from ami_planfix.ami import decode

SNIPPET = (Path(__file__).parents[2] / "asterisk" / "manager.conf").read_text("utf-8")
NEW, OLD = SNIPPET.split("; Older ones:")
USED = {name.decode() for name in decode.SHAPES} | {"OriginateResponse"}


def test_rights_are_the_least() -> None:
    assert re.findall(r"^(read|write) = (.*)$", SNIPPET, re.MULTILINE) == [
        ("read", "call,dialplan"),
        ("write", "originate,reporting"),
    ]


def test_the_new_filter_names_every_event_that_is_used() -> None:
    assert set(re.findall(r"name\((\w+)\)", NEW)) == USED


def test_the_old_filter_names_every_event_that_is_used() -> None:
    named = {name for names in re.findall(r"Event: \(?([\w|]+)\)?", OLD) for name in names.split("|")}
    assert named | {"Newexten", "VarSet"} == USED


def test_both_filters_let_the_variables_and_applications_pass_that_are_used() -> None:
    new = re.findall(r"method\(regex\)\) = (.*)$", NEW, re.MULTILINE)
    old = re.findall(r"(?:Application|Variable): (.*)$", OLD, re.MULTILINE)
    for application, variable in (new, old):
        for name in decode.APPLICATIONS:
            assert re.match(application, name)
        for name in decode.VARIABLES:
            assert re.match(variable, name)
            assert re.match(variable, f"__{name}")
        assert re.match(variable, f"{decode.DATA_PREFIX}X")
        assert not re.match(variable, "SIPDOMAIN")
