"""Settings: what is wrong is said, with the remedy."""

from __future__ import annotations

import pytest

from precious_daemon import config
from precious_daemon.config import Places, Settings
from precious_daemon.errors import ConfigError


def test_absent_file_is_all_defaults(here: Places) -> None:
    assert config.load(here.config_file) == Settings()


def test_file_overrides_what_it_names(here: Places) -> None:
    here.make()
    here.config_file.write_text('[web]\nport = 9000\n[certify]\nalpha = 0.1\n[plugin.links]\nfolder = "/x"\n')
    settings = config.load(here.config_file)
    assert (settings.web.port, settings.certify.alpha, settings.ask.train_labels) == (9000, 0.1, 45)
    assert settings.plugin["links"] == {"folder": "/x"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[web]\nprot = 1", "did you mean port"),
        ("[wbe]\nport = 1", "did you mean web"),
        ("[web]\nport = 'x'", "a whole number"),
        ("[web]\nport = true", "a whole number"),
        ("[web]\nport = 99999", "from 0 to 65535"),
        ("[schedule]\nnight = '25:00'", "a time like"),
        ("[watch]\nignore = 'x'", "a list of texts"),
        ("[clusters]\nmethod = 'kmean'", "did you mean kmeans"),
        ("web = 3", "has to be a section"),
        ("[web", "not valid TOML"),
    ],
)
def test_wrong_setting_is_one_clear_sentence(here: Places, text: str, message: str) -> None:
    here.make()
    here.config_file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        config.load(here.config_file)


def test_every_setting_says_what_it_means() -> None:
    for name, default, meaning in config.describe():
        assert meaning, name
        table, _, key = name.partition(".")
        value = list(default) if isinstance(default, tuple) else default
        assert config.parse({table: {key: value}}) == Settings(), f"the default of {name} is not valid itself"


def test_home_moves_everything(home: object, here: Places) -> None:
    for place in (here.config_file, here.library_db, here.cache_db, here.lock_file, here.reports):
        assert str(place).startswith(str(home))


@pytest.mark.parametrize(("names", "words"), [(["a", "a"], "twice"), (["../b"], "no folder"), (["/"], "no folder")])
def test_preferred_folders_are_folders(names: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config.parse({"groups": {"prefer_folders": names}})
