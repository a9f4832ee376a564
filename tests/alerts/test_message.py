"""What people read: what, since when, what it means for calls, what to do; English and Russian say the same."""

import re
from string import Formatter

import pytest

from ami_planfix.alerts.deciding import Alert
from ami_planfix.alerts.looking import Trouble
from ami_planfix.alerts.message import Place, message_of, trial_of
from ami_planfix.alerts.phrases import FRAMES, PHRASES

PLACE = Place("pbx.example.com", "north")
SINCE = 1_795_440_000.0
COMMAND = re.compile(r"`[^`]+`")


@pytest.mark.parametrize("language", PHRASES)
def test_each_trouble_has_all_its_words(language: str) -> None:
    assert set(PHRASES[language]) == set(Trouble)
    for phrase in PHRASES[language].values():
        assert all(phrase)
        assert phrase.means.endswith(".")


def test_both_languages_name_the_same_commands_and_figures() -> None:
    for trouble in Trouble:
        english, russian = PHRASES["en"][trouble], PHRASES["ru"][trouble]
        assert COMMAND.findall(english.remedy) == COMMAND.findall(russian.remedy)
    for ours, theirs in zip(FRAMES["en"], FRAMES["ru"], strict=True):
        assert len(list(Formatter().parse(ours))) == len(list(Formatter().parse(theirs)))


@pytest.mark.parametrize("language", PHRASES)
@pytest.mark.parametrize("trouble", Trouble)
def test_a_beginning_says_all_that_matters(trouble: Trouble, language: str) -> None:
    told = message_of(Alert(trouble, SINCE, "Connection refused"), PLACE, 12, language)
    phrase = PHRASES[language][trouble]
    assert told.subject == f"ami-planfix north (pbx.example.com): {phrase.what}"
    for piece in ("Connection refused", "12", phrase.means, phrase.remedy, "2026"):
        assert piece in told.body
    assert not re.search(r"\{.*\}", told.body)


@pytest.mark.parametrize("language", PHRASES)
def test_an_end_says_how_long_it_was(language: str) -> None:
    told = message_of(Alert(Trouble.TOKEN, SINCE, "401", until=SINCE + 3_900), PLACE, 0, language)
    assert PHRASES[language][Trouble.TOKEN].over in told.subject
    assert {"en": "1 h 5 min", "ru": "1 ч 5 мин"}[language] in told.body


def test_beginning_and_end_belong_together_and_each_is_told_apart() -> None:
    began = message_of(Alert(Trouble.TOKEN, SINCE), PLACE, 0, "en")
    over = message_of(Alert(Trouble.TOKEN, SINCE, until=SINCE + 60), PLACE, 0, "en")
    again = message_of(Alert(Trouble.TOKEN, SINCE + 3600), PLACE, 0, "en")
    elsewhere = message_of(Alert(Trouble.TOKEN, SINCE), Place("other.example.com"), 0, "en")
    assert began.about == over.about
    assert len({began.id, over.id, again.id, elsewhere.id}) == 4


def test_a_webhook_may_have_every_piece() -> None:
    fields = message_of(Alert(Trouble.TOKEN, SINCE, until=SINCE + 60), PLACE, 3, "en").fields
    assert fields["event"] == "over"
    assert fields["since"] == "2026-11-23T13:20:00+00:00"
    assert fields["until"] == "2026-11-23T13:21:00+00:00"
    assert fields["waiting"] == "3"
    assert fields["text"].startswith(fields["subject"] + "\n\n")


def test_a_test_says_that_it_is_one() -> None:
    assert "test" in trial_of(PLACE, SINCE, "en").subject
    assert "проверка" in trial_of(PLACE, SINCE, "ru").subject
