"""What people are told of each trouble, in English and Russian."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ami_planfix.alerts.looking import Trouble


class Phrase(NamedTuple):
    """One trouble in one language."""

    what: str
    over: str
    means: str
    """For calls."""
    remedy: str


class Frame(NamedTuple):
    """What stands around it; `{}` is filled in."""

    since: str
    was: str
    said: str
    means: str
    waiting: str
    none_waits: str
    remedy: str
    looks: str
    test: str
    tested: str
    moment: str
    """For `strftime`."""
    days: str
    hours: str
    minutes: str
    seconds: str


FRAMES: Mapping[str, Frame] = MappingProxyType(
    {
        "en": Frame(
            since="{} since {}.",
            was="{} since {}. The trouble had begun {} and lasted {}.",
            said="Said of it: {}",
            means="For calls: {}",
            waiting="Reports that wait for Planfix: {}; none is lost.",
            none_waits="No report waits for Planfix.",
            remedy="What to do: {}",
            looks="More: `sudo ami-planfix doctor` on {}. You will be told when it is over.",
            test="This is a test",
            tested="Had this been real, it would say here what is wrong, what it means for calls, and what to do.",
            moment="%Y-%m-%d %H:%M (UTC%z)",
            days="{} days {} h",
            hours="{} h {} min",
            minutes="{} min",
            seconds="{} s",
        ),
        "ru": Frame(
            since="{}: с {}.",
            was="{}: с {}. Неполадка началась {}, длилась {}.",
            said="Причина: {}",
            means="Для звонков: {}",
            waiting="Сообщений ждёт отправки в Планфикс: {}; ни одно не потеряно.",
            none_waits="Ни одно сообщение не ждёт отправки в Планфикс.",
            remedy="Что делать: {}",
            looks="Подробнее: `sudo ami-planfix doctor` на {}. Когда это пройдёт, вы узнаете.",
            test="Это проверка",
            tested="Будь это всерьёз, здесь стояло бы, что не так, что это значит для звонков и что делать.",
            moment="%d.%m.%Y %H:%M (UTC%z)",
            days="{} д {} ч",
            hours="{} ч {} мин",
            minutes="{} мин",
            seconds="{} с",
        ),
    }
)

_ENGLISH = {
    Trouble.ASTERISK: Phrase(
        "No connection to Asterisk",
        "Asterisk is heard again",
        "they go on as always, but Planfix hears nothing of them, and a click dials nothing. Calls that are missed now "
        "are reported later from Asterisk's own records, if `backfill` is configured.",
        "see that Asterisk runs, and that address, user and secret in section `ami` agree with its manager.conf.",
    ),
    Trouble.TOKEN: Phrase(
        "Planfix refuses our token",
        "Planfix takes our token again",
        "no popups, nothing new in the history. All reports are kept and go when Planfix takes the token again; only "
        "popups will be left out, since it is too late for them.",
        "switch the integration off and on in Planfix, or correct planfix.token.",
    ),
    Trouble.REPORTS: Phrase(
        "Reports wait for Planfix",
        "Planfix has all that was old",
        "no popups, nothing new in the history. All reports are kept and go by themselves when Planfix can be reached; "
        "only popups will be left out, since it is too late for them.",
        "look at the way to Planfix: network, DNS, certificate, or is Planfix itself away?",
    ),
    Trouble.REFUSED: Phrase(
        "Planfix refused reports",
        "No refused report is left",
        "some are missing in Planfix, or are not whole there. What was refused is kept for a while.",
        "`ami-planfix deliveries` has Planfix's words (often: no employee has this short code). When mended, "
        "`ami-planfix deliveries retry --all`, else `ami-planfix deliveries drop --all`.",
    ),
    Trouble.STORAGE: Phrase(
        "The database cannot be written",
        "The database is written again",
        "what is heard waits in memory, and Planfix is told nothing new. Do not restart the daemon before it is "
        "mended: what waits in memory would be lost.",
        "make room on the disk (`df -h`); see that the file and its folder belong to the daemon's user, or that the "
        "database's server runs.",
    ),
    Trouble.SERVER: Phrase(
        "Planfix cannot call us",
        "Planfix can call us again",
        "a click dials nothing, recordings cannot be opened in Planfix. Calls are reported as always.",
        "what is said of it above tells.",
    ),
    Trouble.FASTAGI: Phrase(
        "The dialplan cannot ask for callers' names",
        "The dialplan can ask for callers' names again",
        "phones show no names, and no call goes to the client's manager first. Calls are reported as always.",
        "what is said of it above tells.",
    ),
    Trouble.RECORDINGS: Phrase(
        "Recordings cannot be read",
        "Recordings can be read again",
        "Planfix gets no links to new recordings and cannot open old ones; they are waited for. Calls are reported as "
        "always.",
        "see that recordings.directory is there, and that the daemon's user may read it.",
    ),
    Trouble.CERTIFICATE: Phrase(
        "Our certificate ends soon",
        "Our certificate has been renewed",
        "when it has ended, a click dials nothing, and recordings cannot be opened in Planfix.",
        "renew it (`certbot renew`), copy it to where server.tls names it, then `systemctl reload ami-planfix`.",
    ),
}

_RUSSIAN = {
    Trouble.ASTERISK: Phrase(
        "Нет связи с Asterisk",
        "Asterisk снова слышен",
        "они идут как всегда, но Планфикс о них не узнаёт, и щелчок никого не набирает. О звонках, которые сейчас "
        "пропущены, будет сообщено позже по записям самого Asterisk, если настроен `backfill`.",
        "посмотрите, работает ли Asterisk и совпадают ли адрес, имя и секрет раздела `ami` с его manager.conf.",
    ),
    Trouble.TOKEN: Phrase(
        "Планфикс не принимает наш ключ",
        "Планфикс снова принимает наш ключ",
        "нет карточек, нет ничего нового в истории. Все сообщения хранятся и уйдут, когда Планфикс снова примет ключ; "
        "не уйдут только карточки, для которых уже поздно.",
        "выключите и снова включите интеграцию в Планфиксе или исправьте planfix.token.",
    ),
    Trouble.REPORTS: Phrase(
        "Сообщения ждут Планфикса",
        "Планфикс получил всё, что ждало",
        "нет карточек, нет ничего нового в истории. Все сообщения хранятся и уйдут сами, когда Планфикс станет "
        "доступен; не уйдут только карточки, для которых уже поздно.",
        "посмотрите на дорогу к Планфиксу: сеть, DNS, сертификат; или недоступен сам Планфикс?",
    ),
    Trouble.REFUSED: Phrase(
        "Планфикс отверг сообщения",
        "Отвергнутых сообщений не осталось",
        "некоторых в Планфиксе нет, или они там неполны. Отвергнутое какое-то время хранится.",
        "`ami-planfix deliveries` показывает слова Планфикса (часто: ни у кого нет такого короткого номера). Когда "
        "исправлено, `ami-planfix deliveries retry --all`, иначе `ami-planfix deliveries drop --all`.",
    ),
    Trouble.STORAGE: Phrase(
        "База данных не записывается",
        "База данных снова записывается",
        "всё услышанное ждёт в памяти, Планфикс нового не узнаёт. Пока не исправлено, не перезапускайте службу: то, "
        "что ждёт в памяти, пропадёт.",
        "освободите место на диске (`df -h`); посмотрите, чьи файл и его папка, или работает ли сервер базы данных.",
    ),
    Trouble.SERVER: Phrase(
        "Планфикс не может обратиться к нам",
        "Планфикс снова может обратиться к нам",
        "щелчок никого не набирает, записи в Планфиксе не открываются. О звонках сообщается как всегда.",
        "сказано выше, в причине.",
    ),
    Trouble.FASTAGI: Phrase(
        "Диалплан не может спросить имена звонящих",
        "Диалплан снова может спросить имена звонящих",
        "телефоны не показывают имён, и звонки не идут сначала к менеджеру клиента. О звонках сообщается как всегда.",
        "сказано выше, в причине.",
    ),
    Trouble.RECORDINGS: Phrase(
        "Записи разговоров не читаются",
        "Записи разговоров снова читаются",
        "Планфикс не получает ссылок на новые записи и не может открыть старые; записи ждут. О звонках сообщается как "
        "всегда.",
        "посмотрите, есть ли recordings.directory и может ли её читать пользователь службы.",
    ),
    Trouble.CERTIFICATE: Phrase(
        "Наш сертификат скоро кончится",
        "Наш сертификат обновлён",
        "когда он кончится, щелчок никого не наберёт, и записи в Планфиксе не откроются.",
        "обновите его (`certbot renew`), скопируйте туда, где его называет server.tls, затем `systemctl reload "
        "ami-planfix`.",
    ),
}

PHRASES: Mapping[str, Mapping[Trouble, Phrase]] = MappingProxyType({"en": _ENGLISH, "ru": _RUSSIAN})
