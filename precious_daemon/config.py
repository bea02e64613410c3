"""Settings and places: one TOML file, and the environment, read into frozen dataclasses; the folders where everything lives."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, get_type_hints

from precious_daemon import places as places_of_the_earth
from precious_daemon.errors import ConfigError
from precious_daemon.machine.listen import Place, clash, place, wrong


def _setting(
    default: Any,
    meaning: str,
    low: float | None = None,
    high: float | None = None,
    *,
    choices: tuple[str, ...] = (),
    time: bool = False,
    restart: bool = False,
    by_hand: bool = False,
) -> Any:
    """`choices` are all texts there may be; `time` is HH:MM, or empty where the default is; `restart`: not applied before one;
    `by_hand`: it decides what code is run, so that the page does not change it."""
    checks = {
        "meaning": meaning,
        "low": low,
        "high": high,
        "choices": choices,
        "time": time,
        "restart": restart,
        "by_hand": by_hand,
    }
    return field(default=default, metadata=checks)


@dataclass(frozen=True, slots=True)
class WebSettings:
    port: int = _setting(8765, "port of the page on 127.0.0.1; 0 takes any free one", 0, 65535, restart=True)
    listen: tuple[str, ...] = _setting(
        (), "where else the page is served: 0.0.0.0:8766 is the whole network, with TLS and passwords; or a Unix socket's path",
        restart=True,
    )  # fmt: skip
    hostnames: tuple[str, ...] = _setting(
        (), "names by which browsers in the network may call it; empty: this machine's name, also with .local", restart=True
    )
    tls_cert: str = _setting("", "a certificate of your own (PEM, with its chain); empty: one is made here", restart=True)
    tls_key: str = _setting("", "the key of that certificate", restart=True)
    behind_proxy: bool = _setting(
        False, "whether a reverse proxy of yours speaks TLS for web.listen, which then takes plain HTTP from it", restart=True
    )
    language: str = _setting(
        "browser", "language of the page; browser: the one that each browser asks for", choices=("browser", "en", "zh-CN")
    )

    @property
    def places(self) -> tuple[Place, ...]:
        """What `listen` names."""
        return tuple(map(place, self.listen))

    @property
    def network(self) -> bool:
        """Whether others than this machine's own programs are to reach the page."""
        return any(not place.path for place in self.places)

    @property
    def tls(self) -> bool:
        """Whether this process itself speaks TLS."""
        return self.network and not self.behind_proxy


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    log: str = _setting("plain", "how the log is written: lines for people, or one JSON object a line", choices=("plain", "json"))
    log_level: str = _setting("warning", "how much is logged", choices=("error", "warning", "info", "debug"))


@dataclass(frozen=True, slots=True)
class WatchSettings:
    settle_seconds: float = _setting(2.0, "a file is read once it has not changed for this long", 0.1, 3600)
    rescan_hours: float = _setting(6.0, "a full scan at least this often, whatever events said", 0.1, 168)
    poll_minutes: float = _setting(5.0, "folders that cannot be watched are looked through this often", 0.01, 1440)
    ignore: tuple[str, ...] = _setting(
        ("@eaDir", ".stfolder", ".stversions", ".thumbnails", "lost+found", "$RECYCLE.BIN", ".Trash*", "#recycle"),
        "folder and file names that are passed over (shell patterns)",
    )
    ignore_marked: tuple[str, ...] = _setting(
        (".nomedia",), "a folder that holds a file of one of these names is passed over, with all below it"
    )
    freeze_count: int = _setting(20, "more photos than this gone in one scan freeze the folder", 1)
    freeze_percent: float = _setting(0.5, "or more than this share of it, whichever is larger", 0, 100)


@dataclass(frozen=True, slots=True)
class IngestSettings:
    workers: int = _setting(0, "processes that read photos; 0 is one less than the cores, at least one", 0, 64)
    seconds_per_file: float = _setting(10.0, "a file that takes longer is listed as broken", 1, 600)
    worker_megabytes: int = _setting(1024, "address space of a reading process", 256, 65536)
    executor: str = _setting(
        "processes", "who reads and looks at photos: this machine, or the workers of a dask scheduler that see the same folders",
        choices=("processes", "dask"), by_hand=True,
    )  # fmt: skip
    scheduler: str = _setting("", "that scheduler's address, like tcp://192.168.1.2:8786", by_hand=True)
    preview_cache_gb: float = _setting(2.0, "previews kept on disk; older ones are made again on demand", 0, 10000)


@dataclass(frozen=True, slots=True)
class GroupsSettings:
    prefer_folders: tuple[str, ...] = _setting(
        (), "of equal copies the one in the first of these folders is kept; names as in a path, like 2023/best or Lightroom"
    )


@dataclass(frozen=True, slots=True)
class ScheduleSettings:
    night: str = _setting("02:00", "when the night's jobs start, local time HH:MM", time=True)
    night_end: str = _setting(
        "", "they neither start nor go on after this time; empty: a night that was missed is made up for at any time", time=True
    )
    budget_minutes: float = _setting(120.0, "the night's jobs stop after this long and go on the next night", 1, 1440)
    on_battery: bool = _setting(False, "whether the night's jobs run on battery, too; otherwise they wait for the mains")
    only_idle: bool = _setting(False, "whether they wait until the machine has little to do and nobody has typed for 10 minutes")
    cpu_minutes: float = _setting(0.0, "processor time that a night may take, all cores together; 0: no limit", 0, 100000)
    memory_megabytes: int = _setting(
        0, "memory of any process of the night; one that takes more is ended. 0: no limit", 0, 1048576
    )


@dataclass(frozen=True, slots=True)
class AskSettings:
    train_labels: int = _setting(45, "keep/delete answers to learn from before the first training", 4, 10000)
    test_labels: int = _setting(45, "keep/delete answers on random photos, held out to test the model", 0, 10000)


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    features: str = _setting(
        "embedding+hog", "what makes photos alike", choices=("embedding", "embedding+hog", "hog", "pixels", "hog+pixels")
    )
    method: str = _setting("kmeans", "how clusters are found", choices=("kmeans", "agglomerative", "hdbscan"))
    score: str = _setting(
        "mean-rank", "what decides on their number: a score, or the mean of the ranks in all of them",
        choices=("mean-rank", "silhouette", "davies-bouldin", "calinski-harabasz"),
    )  # fmt: skip
    representatives: str = _setting(
        "telling", "who is asked about first: whose answer tells most of all others, or who stands for each cluster",
        choices=("telling", "nearest", "k-center", "facility-location", "uncertain"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OutsideSettings:
    deleted: bool = _setting(True, 'a photo deleted with another program, and gone for an hour, counts as an answer "delete"')
    restored: bool = _setting(True, 'such a photo that is brought back counts as an answer "keep"')
    xmp: bool = _setting(True, "in XMP sidecars, a reject flag counts as delete, and three stars or more as keep")
    plugins: bool = _setting(True, "what plugins hear in other programs counts: a favourite, stars, a flag, their trash")


@dataclass(frozen=True, slots=True)
class CertifySettings:
    alpha: float = _setting(0.05, "at most this share of the suggestions may be photos you would keep", 0.001, 0.5)
    confidence: float = _setting(0.95, "how sure that has to be", 0.5, 0.9999)


@dataclass(frozen=True, slots=True)
class LearnSettings:
    memory_megabytes: int = _setting(2048, "memory of the learner; it stops rather than take more", 512, 1048576)
    threads: int = _setting(0, "cores the learner uses; 0 is all of them, at the lowest priority", 0, 256)
    network: str = _setting(
        "", "a classifier of torchvision that looks at photos, such as resnet50; empty is the one that comes along"
    )
    weights: str = _setting("", "its weights, a .safetensors file of yours; all photos are looked at anew")


@dataclass(frozen=True, slots=True)
class TrashSettings:
    batch: int = _setting(50, "photos moved in one go unless you type the number", 1, 100000)
    daily_percent: float = _setting(
        1.0, "share of the library moved in a day (at least 20 photos) before you type the number", 0.01, 100
    )
    approval_hours: float = _setting(24.0, "an approval lapses after this long", 0.1, 720)
    purge_days: int = _setting(
        0, "days in the trash after which you may remove a photo for good; 0: never, and fewer than 30 count as 30", 0, 3650
    )


@dataclass(frozen=True, slots=True)
class SuggestSettings:
    never_from: tuple[str, ...] = _setting(
        (), "nothing in these folders is suggested: full paths, or paths below a watched folder"
    )
    leave_of_day: int = _setting(1, "so many photos of each day stay, even if everything suggested by taste goes", 0, 1000)
    leave_of_event: int = _setting(1, "the same for photos taken with no more than three hours between them", 0, 1000)
    leave_of_person: int = _setting(1, "the same for photos of each person that you named in another program", 0, 1000)
    protect_people: tuple[str, ...] = _setting(
        (), "photos of these people are never suggested; names as in the program where you named faces"
    )
    protect_places: tuple[str, ...] = _setting(
        (), "photos taken there are never suggested: circles, like Home: 52.5163 13.3777 500 m"
    )


@dataclass(frozen=True, slots=True)
class PluginSettings:
    enabled: tuple[str, ...] = _setting(
        ("report", "rules", "xmp"), "plugins that are run; `precious-daemon plugins list` shows all there are"
    )
    folder: str = _setting("", "a folder of .py files, each a plugin; empty is plugins/ beside this file", by_hand=True)
    timeout_seconds: float = _setting(30.0, "a plugin that takes longer is given up for this run", 1, 3600)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default; sections are the tables of `config.toml`."""

    web: WebSettings = field(default_factory=WebSettings)
    service: ServiceSettings = field(default_factory=ServiceSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    groups: GroupsSettings = field(default_factory=GroupsSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    ask: AskSettings = field(default_factory=AskSettings)
    outside: OutsideSettings = field(default_factory=OutsideSettings)
    clusters: ClusterSettings = field(default_factory=ClusterSettings)
    certify: CertifySettings = field(default_factory=CertifySettings)
    learn: LearnSettings = field(default_factory=LearnSettings)
    suggest: SuggestSettings = field(default_factory=SuggestSettings)
    trash: TrashSettings = field(default_factory=TrashSettings)
    plugins: PluginSettings = field(default_factory=PluginSettings)
    plugin: MappingProxyType[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Tables `[plugin.NAME]`, handed to that plugin as they are."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things live. `PRECIOUS_HOME` puts all of them under one folder."""

    config_file: Path
    data: Path  # library.db, which cannot be made again
    cache: Path  # cache.db and job folders, which can be made again
    run: Path  # lock, address and key of the running service

    @classmethod
    def unpack(cls, packed: Mapping[str, str]) -> Self:
        return cls(**{name: Path(path) for name, path in packed.items()})

    def pack(self) -> dict[str, str]:
        """For a child."""
        return {f.name: str(getattr(self, f.name)) for f in fields(self)}

    @property
    def library_db(self) -> Path:
        return self.data / "library.db"

    @property
    def cache_db(self) -> Path:
        return self.cache / "cache.db"

    @property
    def jobs(self) -> Path:
        return self.cache / "jobs"

    @property
    def backups(self) -> Path:
        """Copies of library.db."""
        return self.data / "backups"

    @property
    def reports(self) -> Path:
        return self.data / "reports"

    @property
    def nights(self) -> Path:
        """A folder for each model: its page, plots and card."""
        return self.reports / "nights"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def tls(self) -> Path:
        """The certificate that was made here, and its key."""
        return self.data / "tls"

    @property
    def audit_log(self) -> Path:
        return self.data / "audit.jsonl"

    @property
    def lock_file(self) -> Path:
        return self.run / "lock"

    @property
    def service_file(self) -> Path:
        """JSON of the running service: pid, address, key. Readable by its owner only."""
        return self.run / "service.json"

    @property
    def plugins(self) -> Path:
        return self.config_file.parent / "plugins"

    def make(self) -> None:
        """Create the folders, readable by their owner only."""
        for folder in (self.config_file.parent, self.data, self.cache, self.run, self.jobs, self.reports, self.models):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def places() -> Places:
    """The places of this user, or all under `PRECIOUS_HOME` where that is set."""
    home = os.environ.get("PRECIOUS_HOME")
    if home:
        base = Path(home).expanduser().absolute()
        return Places(base / "config.toml", base / "data", base / "cache", base / "run")
    import platformdirs  # here, because it is not needed with PRECIOUS_HOME and takes its time

    dirs = platformdirs.PlatformDirs("precious-daemon", appauthor=False)
    return Places(
        Path(dirs.user_config_dir) / "config.toml",
        Path(dirs.user_data_dir),
        Path(dirs.user_cache_dir),
        Path(dirs.user_state_dir) / "run",
    )


def load(file: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read `config.toml`, and over it the variables PRECIOUS_SECTION_NAME; an absent file is all defaults.

    Raises ConfigError with the place and the remedy.
    """
    table = read(file)
    parse(table, str(file))  # so that a fault in the file is said to be there
    if not (said := overrides(os.environ if environ is None else environ)):
        return whole(parse(table, str(file)), str(file))
    for (section, name), value in said.items():
        table.setdefault(section, {})[name] = value
    return whole(parse(table, "environment"), "environment")


def read(file: Path) -> dict[str, Any]:
    """The file as TOML has it; nothing where there is none. Raises ConfigError."""
    if not file.exists():
        return {}
    import tomllib

    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file} is not valid TOML: {exc}. Nothing was changed.") from exc
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read: {exc.strerror}.") from exc


def overrides(environ: Mapping[str, str]) -> dict[tuple[str, str], Any]:
    """What the environment says: PRECIOUS_WEB_PORT=9000 is web.port. Raises ConfigError for a name that is no setting."""
    sections = {section: kind for section, kind in _types(Settings).items() if section != "plugin"}
    found: dict[tuple[str, str], Any] = {}
    for variable, text in environ.items():
        word, _, name = variable.removeprefix("PRECIOUS_").lower().partition("_")
        if variable.startswith("PRECIOUS_") and word in sections and name:
            known = {f.name for f in fields(sections[word])}
            if name not in known:
                raise ConfigError(f"environment: {variable} stands for no setting{nearest(name, known)}")
            found[word, name] = from_text(f"{word}.{name}", text, variable)
    return found


@cache
def _types(part: type) -> dict[str, Any]:
    """The type of each field. They are written as texts, which Python reads anew whenever it is asked."""
    return get_type_hints(part)


def setting(name: str) -> tuple[Any, dataclasses.Field[Any]]:
    """(type, field) of `section.name`. Raises ConfigError naming the nearest one."""
    section, _, key = name.partition(".")
    hints = _types(Settings)
    if section in hints and section != "plugin":
        for f in fields(hints[section]):
            if f.name == key:
                return _types(hints[section])[key], f
    raise ConfigError(f"{name} is not a setting{nearest(name, [known for known, _, _ in describe()])}")


def from_text(name: str, text: str, where: str = "settings") -> Any:
    """The value of a setting as somebody typed it: 9000, true, 02:00; a list with commas, or one on each line."""
    kind, f = setting(name)
    value: Any = text.strip()
    if kind == tuple[str, ...]:
        value = [word for part in value.splitlines() for word in map(str.strip, part.split(",")) if word]
    elif kind is bool and value.lower() in _YES_OR_NO:
        value = _YES_OR_NO[value.lower()]
    elif kind in (int, float):
        with suppress(ValueError):
            value = kind(value)
    value = _value(kind, name, value, f.metadata, where)
    return list(value) if isinstance(value, tuple) else value


_YES_OR_NO = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def parse(table: dict[str, Any], where: str = "settings") -> Settings:
    """Settings from parsed TOML. Unknown names, wrong types and values out of bounds raise ConfigError."""
    sections: dict[str, Any] = {}
    hints = _types(Settings)
    for name, value in table.items():
        if name not in hints:
            raise ConfigError(f"{where}: [{name}] is not a section{nearest(name, hints)}")
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: {name} has to be a section, [{name}].")
        sections[name] = MappingProxyType(value) if name == "plugin" else section(hints[name], name, value, where)
    return Settings(**sections)


def whole(settings: Settings, where: str) -> Settings:
    """The settings, which go together. Raises ConfigError where they do not."""
    web = settings.web
    if fault := clash(web.places, web.hostnames, web.port, web.tls_cert, web.tls_key, web.behind_proxy):
        raise ConfigError(f"{where}: {fault}")
    return settings


def section(kind: type, section: str, table: Mapping[str, Any], where: str) -> Any:
    """An instance of a dataclass of settings from one table of the file. Raises ConfigError as `parse` does."""
    known = {f.name: f for f in fields(kind)}
    hints = _types(kind)
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            raise ConfigError(f"{where}: {section}.{name} is not a setting{nearest(name, known)}")
        values[name] = _value(hints[name], f"{section}.{name}", value, known[name].metadata, where)
    return kind(**values)


def _value(kind: Any, name: str, value: Any, metadata: Any, where: str) -> Any:
    if kind == tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f'{where}: {name} has to be a list of texts, like ["a", "b"].')
        if name == "groups.prefer_folders":
            folder_names(value, where)
        for one in value:
            _right(name, one, where)
        return tuple(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        word = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[kind]
        raise ConfigError(f"{where}: {name} has to be {word}, not {value!r}.")
    low, high = metadata.get("low"), metadata.get("high")
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
        raise ConfigError(f"{where}: {name} is {value}, and has to be {bounds}.")
    if kind is float and not math.isfinite(value):
        raise ConfigError(f"{where}: {name} is {value}, and has to be a number.")
    if (choices := metadata.get("choices")) and value not in choices:
        raise ConfigError(f'{where}: {name} is "{value}"{nearest(value, choices)}')
    if kind is str:
        _right(name, value, where)
    if metadata.get("time") and (value or name == "schedule.night"):
        night_time(value, where, name)
    return value


def _right(name: str, value: str, where: str) -> None:
    section, _, key = name.partition(".")
    if section == "web" and (fault := wrong(key, value)):
        raise ConfigError(f'{where}: {name}: "{value}" {fault}.')
    if name == "suggest.protect_places":
        try:
            places_of_the_earth.read(value)
        except ValueError as exc:
            raise ConfigError(f'{where}: {name} has "{value}": {exc}.') from exc


def night_time(text: str, where: str = "settings", name: str = "schedule.night") -> tuple[int, int]:
    """Hour and minute of `HH:MM`."""
    hour, colon, minute = text.partition(":")
    if colon and hour.isdecimal() and minute.isdecimal() and len(minute) == 2 and int(hour) < 24 and int(minute) < 60:
        return int(hour), int(minute)
    raise ConfigError(f'{where}: {name} is "{text}", and has to be a time like "02:00".')


def folder_names(names: list[str], where: str = "settings") -> None:
    """Raises ConfigError for what cannot be a folder, or is named twice."""
    for name in names:
        if not name.strip("/ ") or ".." in name.split("/"):
            raise ConfigError(f'{where}: groups.prefer_folders has "{name}", which is no folder; name one like "2023/best".')
        if names.count(name) > 1:
            raise ConfigError(f'{where}: groups.prefer_folders names "{name}" twice.')


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the one that was probably meant, or all there are."""
    import difflib  # here: only a mistake needs it

    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}."


def describe() -> list[tuple[str, Any, str]]:
    """(name, default, meaning) of every setting, in the order of the file."""
    defaults, rows = Settings(), []
    for section in fields(defaults):
        if section.name != "plugin":
            part = getattr(defaults, section.name)
            rows += [(f"{section.name}.{f.name}", getattr(part, f.name), f.metadata["meaning"]) for f in fields(part)]
    return rows


def as_dict(settings: Settings) -> dict[str, Any]:
    """The settings in force, as the TOML file would have them."""
    return {
        section.name: dict(value)
        if isinstance(value := getattr(settings, section.name), MappingProxyType)
        else dataclasses.asdict(value)
        for section in fields(settings)
    }
