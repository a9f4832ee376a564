"""What the status page says, in English and Russian; `{}` stands for a figure or a name."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ami_planfix.alerts.phrases import PHRASES as ALERTS

LANGUAGES = ("en", "ru")

PHRASES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        # The head of the page
        "title": ("ami-planfix", "ami-planfix"),
        "connecting": ("Asking the daemon …", "Спрашиваем службу …"),
        "live": ("live", "на связи"),
        "not_live": ("not live", "нет связи"),
        "stale": ("The daemon does not answer since {}", "Служба не отвечает с {}"),
        "stale_hint": (
            "What stands below is from then. On the PBX: `systemctl status ami-planfix`.",
            "То, что ниже, — с того времени. На АТС: `systemctl status ami-planfix`.",
        ),
        "log_out": ("Log out", "Выйти"),
        "no_script": (
            "This page needs its script. Without one: `ami-planfix calls` and `ami-planfix deliveries`.",
            "Странице нужен её скрипт. Без него: `ami-planfix calls` и `ami-planfix deliveries`.",
        ),
        # The verdict
        "all_well": ("All is well", "Всё в порядке"),
        "starting": ("Starting", "Запускается"),
        "asterisk_waiting": ("No connection to Asterisk", "Нет связи с Asterisk"),
        "planfix_waiting": ("Planfix does not answer", "Планфикс не отвечает"),
        "planfix_failed": ("Planfix refuses our token", "Планфикс не принимает наш ключ"),
        "planfix_unknown": ("Planfix does not know this PBX yet", "Планфикс ещё не знает эту АТС"),
        "storage_failed": ("The database cannot be written", "База данных недоступна для записи"),
        "part_waiting": ("{}: not now", "{}: временно не работает"),
        "part_failed": ("{}: does not work", "{}: не работает"),
        "some_dead": ("Planfix refused some reports", "Планфикс отказался от части сообщений"),
        "reports_kept": (
            "Reports wait here; none is lost. Waiting: {}",
            "Сообщения ждут здесь, ни одно не потеряно. Ждут: {}",
        ),
        # Four figures
        "tile_waiting": ("Reports not sent", "Сообщений не передано"),
        "tile_today": ("Calls today", "Звонков сегодня"),
        "of_these_missed": ("{} missed", "пропущено {}"),
        "glance_well": ("works", "работает"),
        "glance_waiting": ("not now", "пока нет"),
        "glance_failed": ("fails", "сбой"),
        "glance_off": ("off", "выключено"),
        # The last step of the installation
        "setup": (
            "One step is left, in Planfix: the settings of telephony",
            "Остался один шаг, в Планфиксе: настройки телефонии",
        ),
        "setup_address": ("Address of the PBX:", "Адрес АТС:"),
        "setup_token": ("Token of the PBX: the one in the configuration,", "Ключ (token) АТС — из конфигурации,"),
        "setup_codes": (
            "Short codes of the employees: their extensions, such as 101.",
            "Короткие номера сотрудников: их внутренние номера, например 101.",
        ),
        "setup_on": (
            "Switch the integration on. This page will notice.",
            "Включите интеграцию. Эта страница заметит.",
        ),
        "no_server": ("there is no section `server` in the configuration", "в конфигурации нет раздела `server`"),
        # Calls
        "calls": ("Calls now", "Сейчас"),
        "no_calls": ("It is quiet. Nobody is on the line.", "Тихо. Никто не разговаривает."),
        "incoming": ("incoming", "входящий"),
        "outgoing": ("outgoing", "исходящий"),
        "hidden": ("hidden number", "номер скрыт"),
        "talks": ("talks with {}", "говорит с {}"),
        "rings": ("rings at {}", "звонит у {}"),
        "dials": ("is called by {}", "вызывает {}"),
        "waits": ("waits", "ждёт"),
        "sum_talk": ("talking {}", "говорят {}"),
        "sum_ring": ("ringing {}", "звонят {}"),
        "sum_wait": ("waiting {}", "ждут {}"),
        "unheard": (
            "Asterisk is not heard since {}: these calls may be over.",
            "Asterisk не слышен с {}: эти звонки могли кончиться.",
        ),
        "more": ("{} more", "Ещё {}"),
        "fewer": ("Fewer", "Свернуть"),
        "via": ("via {}", "через {}"),
        "since": ("since {}", "с {}"),
        "find": ("Find a call by its number", "Найти звонок по номеру"),
        "find_button": ("Find", "Найти"),
        "find_hint": ("five digits or more; the last day", "пять цифр или больше; за сутки"),
        "found_none": ("No call with that number within a day.", "За сутки звонка с этим номером нет."),
        # Today
        "today": ("Today", "Сегодня"),
        "no_calls_today": ("No call has ended today yet.", "Сегодня звонков ещё не было."),
        "answered": ("answered", "приняты"),
        "missed": ("missed", "пропущены"),
        "reached": ("talked, outgoing", "исходящие"),
        "not_reached": ("not reached", "не дозвонились"),
        "busy": ("busy", "занято"),
        "no_answer": ("no answer", "нет ответа"),
        "not_available": ("not available", "недоступен"),
        "not_allowed": ("not allowed", "запрещено"),
        "canceled": ("called off", "отменён"),
        "hour": ("{}:00", "{}:00"),
        # The outbox
        "outbox": ("Reports to Planfix", "Сообщения Планфиксу"),
        "none_waiting": ("Planfix has everything.", "Планфикс получил всё."),
        "waiting": ("waiting", "ждут"),
        "refused": ("refused", "отказ"),
        "sum_waiting": ("waiting: {}", "ждут: {}"),
        "sum_refused": ("refused by Planfix: {}", "Планфикс отказался: {}"),
        "oldest": ("the oldest for {}", "самое старое — {}"),
        "untried": ("Not sent yet", "Ещё не отправлялись"),
        "untold": ("and {} more: `ami-planfix deliveries`", "и ещё {}: `ami-planfix deliveries`"),
        "again_at": ("again at {}", "повтор в {}"),
        "tries": ("tries: {}", "попыток: {}"),
        "retry": ("Retry", "Повторить"),
        "retry_all": ("Retry all", "Повторить все"),
        "drop": ("Drop", "Отбросить"),
        "drop_really": ("Really drop?", "Точно отбросить?"),
        "not_done": ("That did not work: {}", "Не получилось: {}"),
        "recording": ("recording's link", "ссылка на запись"),
        # Connections
        "connections": ("Connections", "Соединения"),
        "part_asterisk": ("Asterisk", "Asterisk"),
        "part_planfix": ("Planfix", "Планфикс"),
        "part_storage": ("Database", "База данных"),
        "part_server": ("Clicks from Planfix", "Щелчки в Планфиксе"),
        "part_admin": ("This page", "Эта страница"),
        "part_control": ("Commands", "Команды"),
        "part_fastagi": ("Callers' names (FastAGI)", "Имена звонящих (FastAGI)"),
        "part_contacts": ("Callers' names (Planfix)", "Имена звонящих (Планфикс)"),
        "part_recordings": ("Recordings", "Записи"),
        "part_backfill": ("Calls that nobody heard of", "Звонки, которых никто не слышал"),
        "well": ("well", "работает"),
        "state_waiting": ("not now", "пока нет"),
        "failed": ("failed", "сбой"),
        "off": ("off", "выключено"),
        # Recordings
        "recordings": ("Recordings", "Записи разговоров"),
        "none_recording": ("No recording is waited for.", "Ни одну запись не ждём."),
        "missing": ("missing", "не найдены"),
        # Lookups
        "lookups": ("Callers' names", "Имена звонящих"),
        "no_lookups": ("Nobody has asked for a name yet.", "Имён ещё не спрашивали."),
        "asked": ("asked", "спросили"),
        "from_memory": ("from memory", "из памяти"),
        "median": ("Planfix answers in", "Планфикс отвечает за"),
        "slowest": ("slowest of the last", "дольше всего"),
        "unanswered": ("without an answer", "без ответа"),
        "not_asked": ("Planfix is not asked for a while", "Планфикс пока не спрашиваем"),
        # Errors
        "errors": ("Last warnings and errors", "Последние предупреждения и ошибки"),
        "no_errors": ("None since the daemon began.", "С запуска службы не было."),
        "times": ("{} times", "раз: {}"),
        "warning": ("warning", "предупреждение"),
        "error": ("error", "ошибка"),
        # A call's timeline
        "timeline": ("What happened in call {}", "Что было в звонке {}"),
        "timeline_none": (
            "Nothing is kept of this call: it is too old, or was never heard.",
            "Об этом звонке ничего не сохранилось: он давний или не был услышан.",
        ),
        "rule": ("rule {}", "правило {}"),
        "close": ("Close", "Закрыть"),
        # Several daemons with one database
        "daemons": ("PBXs with this database", "АТС с этой базой данных"),
        "pbx": ("PBX", "АТС"),
        "daemon": ("daemon", "служба"),
        "listens": ("listens", "слушает"),
        "until": ("until {}", "до {}"),
        # What people were told of
        "alerts": ("You have been told", "Вам сообщено"),
        "way_webhook": ("by webhook", "вебхуком"),
        "way_mail": ("by mail", "письмом"),
        # The password
        "password": ("Password", "Пароль"),
        "log_in": ("Log in", "Войти"),
        "wrong_password": ("That is not the password.", "Пароль не подходит."),
        "password_where": ("It is admin.password in the configuration.", "Он стоит в конфигурации: admin.password."),
    }
)


def words(language: str) -> dict[str, str]:
    """Give all phrases in one language."""
    at = LANGUAGES.index(language)
    told = {f"alert_{trouble.value}": phrase.what for trouble, phrase in ALERTS[language].items()}
    return {name: both[at] for name, both in PHRASES.items()} | told


def choose(wanted: str, accepted: str) -> str:
    """Choose a language: the one that was chosen before, else by `Accept-Language`, else English."""
    if wanted in LANGUAGES:
        return wanted
    for language in _by_weight(accepted):
        if (found := language.partition("-")[0].strip().lower()) in LANGUAGES:
            return found
    return LANGUAGES[0]


def _by_weight(accepted: str) -> Iterable[str]:
    weighed = []
    for item in accepted.split(",")[:20]:
        language, _, weight = item.partition(";q=")
        try:
            weighed.append((-float(weight or 1), language))
        except ValueError:
            continue
    return [language for _, language in sorted(weighed, key=lambda pair: pair[0])]
