"""The commands as somebody types them: every refusal is one sentence, a non-zero exit, and nothing changed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pty
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from click.testing import CliRunner

from precious_daemon.asking import tasks
from precious_daemon.cli import cli, reviewing, talk
from precious_daemon.config import Places
from precious_daemon.disk import deeds
from precious_daemon.errors import CountNeeded, PreciousError
from precious_daemon.folders.watched import add_root
from precious_daemon.running.remote import Remote, _error
from precious_daemon.store import Store, passwords
from precious_daemon.web import tls
from tests.conftest import until
from tests.e2e.process import ServiceProcess, command
from tests.pictures import save
from tests.web.matrix import free_port


def test_recovering_from_an_empty_trash_says_so_and_a_record_that_cannot_be_used_is_exit_code_1(tmp_path: Path) -> None:
    home = tmp_path / ".precious-trash" / "batch" / "unit"
    home.parent.mkdir(parents=True)
    assert "trash is empty" in command("trash", "recover", str(tmp_path))
    home.mkdir()
    (home / "record.json").write_text("{}")
    done = CliRunner().invoke(cli, ["trash", "recover", "--json", str(tmp_path)])
    assert (done.exit_code, json.loads(done.stdout)) == (1, {"files": 0, "left": 1, "dry_run": False})


def refused(*arguments: str, status: int) -> str:
    """The one sentence of a refusal."""
    out = command(*arguments, status=status)
    assert out.startswith("precious-daemon: "), out
    assert out.count("\n") == 1, out
    return out


def test_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert "There is no folder" in refused("run", str(tmp_path / "nowhere"), status=3)


def test_file_instead_of_a_folder(tmp_path: Path) -> None:
    assert "is a file" in refused("run", str(save(tmp_path / "a.jpg", 1)), status=3)


def test_folder_without_permission(store: Store, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything
    try:
        with pytest.raises(Exception, match="may not be read"):
            add_root(store, str(closed), time.time())
    finally:
        os.seteuid(user)


def test_folder_inside_another(tmp_path: Path, here: Places) -> None:
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    command("roots", "add", str(tmp_path / "outer"))
    assert "is inside" in refused("roots", "add", str(tmp_path / "outer" / "inner"), status=3)
    assert len(json.loads(command("roots", "list", "--json"))) == 1


def test_unknown_setting(here: Places) -> None:
    here.make()
    here.config_file.write_text("[web]\nprot = 1\n")
    assert "did you mean port" in refused("config", "check", status=2)


def test_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} is in use" in refused("run", str(tmp_path), "--port", str(port), status=11)


def test_library_already_open(store: Store, tmp_path: Path) -> None:
    assert "already open in process" in refused("run", str(tmp_path), "--port", "0", status=4)


def test_database_of_a_newer_version(here: Places, tmp_path: Path) -> None:
    Store(here).close()
    with sqlite3.connect(here.library_db) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)",
            ["precious-daemon library", "m999_future", "2030"],
        )
    connection.close()
    assert "newer version" in refused("run", str(tmp_path), "--port", "0", status=5)


def test_too_few_labels_to_learn(here: Places) -> None:
    Store(here).close()
    assert "45 more answers to learn from are needed" in refused("jobs", "run", "learn", status=7)


def test_unknown_job(here: Places) -> None:
    Store(here).close()
    assert "no job" in refused("jobs", "run", "dance", status=6)


def test_a_command_that_is_not_there_is_answered_with_the_one_that_is_meant(here: Places) -> None:
    for tried, meant in (("staus", "status"), ("approve", "apply"), ("suggestions", "suggest"), ("trash ls", "list")):
        assert f"did you mean '{meant}'?" in command(*tried.split(), status=2)
    assert command("xyzzy", status=2).endswith("There is no command 'xyzzy'.\n")


def test_a_group_of_commands_alone_lists_what_there_is(here: Places) -> None:
    Store(here).close()
    assert command("trash") == "The trash is empty.\n"
    assert json.loads(command("roots", "list", "--json")) == []
    assert "precious-daemon token new" in command("token")


def test_status_before_anything_was_started() -> None:
    assert "no library yet" in refused("status", status=5)


def test_status_of_a_stopped_service_is_quick_and_says_so(here: Places) -> None:
    Store(here).close()
    assert "stopped" in command("status", status=2)
    assert json.loads(command("status", "--json", status=2))["service"] == "stopped"


def test_votes_file_that_is_none(here: Places, tmp_path: Path) -> None:
    Store(here).close()
    (tmp_path / "votes.csv").write_text("hello\n")
    assert "first line" in refused("votes", "import", str(tmp_path / "votes.csv"), status=10)


def test_votes_move_over_from_image_ranker_and_back(here: Places, tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "pictures" / f"{number}.jpg", number)
    command("roots", "add", str(tmp_path / "pictures"))
    command("scan")
    text = "Winner,Loser\n0.jpg,1.jpg\n1.jpg,2.jpg\n"
    (tmp_path / "votes.csv").write_text(text)
    assert "Imported 2 votes" in command("votes", "import", str(tmp_path / "votes.csv"))
    assert command("votes", "export") == text
    rows = command("votes", "export", "--ranking").splitlines()
    assert rows[0] == "Image,ELO,Uncertainty,Upvotes,Downvotes"
    assert [row.split(",")[0] for row in rows[1:]] == ["0.jpg", "1.jpg", "2.jpg"]


def test_help_of_every_command_teaches() -> None:
    text = command("--help")
    for name in ("run", "status", "scan", "jobs", "votes", "suggest", "apply", "undo", "trash", "config", "plugins", "service"):
        assert f"  {name} " in text
        assert len(command(name, "--help")) > 100


def test_service_process_has_neither_numpy_nor_pillow_nor_torch(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from precious_daemon import config
from precious_daemon.cli import cli
from precious_daemon.running.daemon import running
async def main():
    async with running(config.places(), config.Settings(), [sys.argv[1]], port=0) as started:
        print(*sorted({name.partition(".")[0] for name in sys.modules}))
        await started.service.jobs.run("scan")
        await started.service.jobs.run("suggest")
        print(*sorted({name.partition(".")[0] for name in sys.modules}))
asyncio.run(main())
"""
    told = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True).stdout
    at_rest, loaded = (set(line.split()) for line in told.splitlines())
    assert "aiohttp" in at_rest
    assert not {"blake3", "decimal", "jinja2", "multiprocessing", "rich", "smtplib", "tomlkit", "tomllib", "xml"} & at_rest
    assert (
        not {"numpy", "PIL", "torch", "torchvision", "sklearn", "skimage", "scipy", "pandas", "argon2", "cryptography"} & loaded
    )


def test_errors_of_the_service_come_over_whole() -> None:
    told = {"error": "Type 60 to move them all.", "kind": "CountNeeded", "count": 60}
    error = _error(told, 409)
    assert isinstance(error, CountNeeded)
    assert (str(error), error.count) == ("Type 60 to move them all.", 60)
    assert isinstance(_error({"error": "No.", "kind": "print"}, 400), PreciousError)
    assert "status 500" in str(_error("<html>", 500))


def test_long_lines_fold_on_a_terminal_and_stay_whole_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    assert talk.folded("Model  the mean rank of two", 7) == "Model  the mean rank of two"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert talk.folded("Model  the mean rank of two\n  next", 7) == "Model  the mean rank of\n       two\n  next"


def test_a_script_is_told_how_to_type_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(typed: int | None) -> dict[str, Any]:
        if typed != 60:
            raise CountNeeded("Type 60 to move them all.", 60)
        return {"moved": ["all"]}

    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(CountNeeded, match="--count 60"):
        reviewing._counted(act, None, False)
    assert reviewing._counted(act, 60, False) == {"moved": ["all"]}


def test_log_of_what_touched_a_file(here: Places) -> None:
    here.make()
    sent = deeds.entry(1.0, "sent", to="https://example.org", plugin="webhook", who="Anna", **deeds.content("all of it"))
    moved = {"at": "2026-01-02T03:04:05.678", "action": "trashed", "root": "/p", "path": "a.jpg", "reason": "blurred"}
    deeds.append(here.audit_log, [sent, moved])
    with here.audit_log.open("ab") as log:
        log.write(b'{"at": "2026')  # cut short by a crash
    assert command("log").splitlines() == [
        "1970-01-01 00:00:01  sent       https://example.org  (Anna, webhook)",
        "2026-01-02 03:04:05  trashed    a.jpg  blurred",
    ]
    assert json.loads(command("log", "--json", "--kind", "moved"))["path"] == "a.jpg"
    assert json.loads(command("log", "--json", "--text", "WEBHOOK all"))["sent"] == "all of it"


def test_profiles_have_votes_of_their_own(here: Places, tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / "photos" / f"{number}.jpg", number, (64, 48), age=3600)
    command("roots", "add", str(tmp_path / "photos"))
    command("scan")
    assert "--voter 'Anna'" in command("people", "add", "Anna")
    assert "already" in refused("people", "add", "anna", status=1)
    (tmp_path / "votes.csv").write_text("Winner,Loser\n0.jpg,1.jpg\n")
    command("votes", "import", "--voter", "anna", str(tmp_path / "votes.csv"))
    assert command("votes", "export", "--voter", "Anna").count("\n") == 2
    assert command("votes", "export").count("\n") == 1
    command("people", "rename", "Anna", "Åsa")
    assert "no profile" in refused("answers", "--voter", "Anna", status=6)
    assert json.loads(command("answers", "--voter", "Åsa", "--json"))["answers"][0]["sentence"].endswith("brought along")
    command("people", "retire", "Åsa")
    assert [one["retired_at"] is None for one in json.loads(command("people", "list", "--json"))] == [True, False]


def test_answers_of_a_task_are_exported_by_its_name(store: Store, here: Places) -> None:
    store.write(tasks.make, "What", ["Receipt", "Sea"], 1.0)
    store.close()
    assert command("tasks", "list") == "What: Receipt, Sea; 0 answers\n"
    assert command("tasks", "export", "what") == "Image,Class,Expected,Chance\n"
    assert "no task" in refused("tasks", "export", "other", status=6)


def typed(lines: list[str], *arguments: str) -> tuple[int, bytes]:
    """A command at a terminal, where each line is typed once it asks; its status, and all that it says."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "precious_daemon", *arguments],
        stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    said = b""
    for line in lines:
        while not said.endswith(b": "):
            more = process.stdout.read1()
            assert more, said
            said += more
        said += b"\n"
        os.write(master, f"{line}\n".encode())
    said += process.communicate(timeout=60)[0]
    os.close(master)
    os.close(slave)
    return process.returncode, said


def test_a_password_is_typed_twice_or_piped_and_never_shown(here: Places) -> None:
    status, at_the_terminal = typed(["correct horse", "battery staple", "correct horse", "correct horse"], "password")
    assert (status, b"do not match" in at_the_terminal) == (0, True), at_the_terminal
    with Store(here) as store:
        first = store.read(passwords.get, 1)
        assert first is not None
    command = [sys.executable, "-m", "precious_daemon", "password"]
    piped = subprocess.run(command, input="battery staple\n", capture_output=True, text=True, check=True)
    for said in (at_the_terminal, piped.stdout.encode(), piped.stderr.encode()):
        assert b"horse" not in said
        assert b"staple" not in said
    with Store(here) as store:
        assert store.read(passwords.get, 1) not in (None, first)
    nothing = subprocess.run(command, input="\n", capture_output=True, text=True, check=False)
    assert (nothing.returncode, nothing.stderr) == (1, "precious-daemon: No password was given. Nothing was changed.\n")


def test_the_network_is_served_once_there_is_a_password_and_its_fingerprint_is_shown(here: Places) -> None:
    here.make()
    port = free_port()
    here.config_file.write_text(f'[web]\nlisten = ["127.0.0.1:{port}"]\n')
    assert "that takes a password" in refused("run", "--port", "0", status=2)
    with Store(here) as store:
        store.write(passwords.put, 1, "$argon2id$ not asked for here", 0.0)
    service = ServiceProcess()
    try:
        service.start()
        until(lambda: len(service.lines) >= 3, 10)
        fingerprint = tls.fingerprint(tls.files(here)[0])
        assert f"The page is also at:  https://127.0.0.1:{port}\n  SHA-256 of its certificate: {fingerprint}" in "".join(
            service.lines
        )
        assert f"https://127.0.0.1:{port} SHA-256 {fingerprint}" in command("status")
        shown = ssl.get_server_certificate(("127.0.0.1", port))
        assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown)).hexdigest().upper() == fingerprint.replace(":", "")
        assert "Empty web.listen" in refused("password", "--remove", status=1)
    finally:
        service.close()


def test_command_that_finds_its_job_running_waits_for_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It once waited for another run, which never came."""
    outcomes = iter(["running", "running", "done"])

    class Busy:
        def get(self, path: str) -> dict[str, Any]:
            return {"running": [], "jobs": [{"name": "scan", "last": {"id": 7, "outcome": next(outcomes), "detail": "3 new"}}]}

        def post(self, path: str) -> dict[str, Any]:
            return {"note": None}

    monkeypatch.setattr(talk, "POLL", 0.0)
    assert talk.run_job(cast(Remote, Busy()), "scan") == "scan: 3 new"


def test_undo_of_many_goes_on_after_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fake:
        sent: ClassVar[list[int]] = []

        def get(self, path: str, after: int | None = None) -> dict[str, Any]:
            return {"units": [] if after else [{"uid": f"{n:04}", "id": n, "batch": "b"} for n in range(1500, 0, -1)]}

        def post(self, path: str, value: dict[str, list[str]]) -> dict[str, Any]:
            self.sent.append(len(value["uids"]))
            refused = [{"message": "it is frozen"}] if len(self.sent) == 1 else []
            return {"sentence": f"{len(value['uids'])} photos are back", "moved": value["uids"][1:], "refused": refused}

    monkeypatch.setattr(reviewing, "reached", lambda: nullcontext(Fake()))
    done = CliRunner().invoke(reviewing.undo, ["--all"])
    assert Fake.sent == [1000, 500], "a refusal among the first is no reason to leave the others in the trash"
    assert done.exit_code == 1
    assert "500 photos are back" in done.output
    assert "it is frozen" in done.output
