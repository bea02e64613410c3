"""Commands about what was learned: taking a model elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from precious_daemon.cli.talk import Ordered, for_voter, noted, opened, progress, reached
from precious_daemon.errors import NotFound, PreciousError

FILES = ("classifier.onnx", "reward.onnx", "model.safetensors", "card.md")


@click.group(cls=Ordered)
def model() -> None:
    """What was learned, for use elsewhere."""


@model.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--run", metavar="NIGHT", help="The model of this night, such as 20260131-020000; the newest otherwise.")
@click.option("--force", is_flag=True, help="Write over what is there.")
@for_voter
def model_export(folder: Path, run: str | None, force: bool, voter: str | None) -> None:
    """Write a model to DIR as ONNX, with its card.

    classifier.onnx tells how likely a photo is kept, reward.onnx how much it is liked. Both take the pixels as they are: all
    preprocessing is in them. card.md says how to use them, and what they were taught by. Nothing leaves this machine.
    """
    there = [name for name in FILES if (folder / name).exists()]
    if there and not force:
        raise PreciousError(f"{folder / there[0]} is there already. Name another folder, or say --force; nothing was written.")
    import asyncio  # here: the service loads it in a way of its own

    asyncio.run(_export(folder, run or _newest(voter)))
    click.echo(f"{folder}: {', '.join(FILES)}. card.md says how to use them.")


def _newest(voter: str | None) -> str:
    from precious_daemon.store import Store, scores
    from precious_daemon.suggesting import people

    with Store(opened()[0], writer=False) as store:
        whose = store.read(people.named, voter).id if voter else people.OWNER
        found = store.read(scores.newest_model, whose)
    if found is None:
        raise NotFound("There is no model yet: the first one comes in the night after enough answers.")
    return str(found["run"])


async def _export(folder: Path, run: str) -> None:
    from precious_daemon.jobs import networks
    from precious_daemon.words import papers
    from precious_daemon.work import children, jobfolder

    places, settings = opened()
    file = places.models / f"{run}.safetensors"
    if not file.is_file() or file.parent != places.models:
        raise NotFound(f"There is no model {run} in {places.models}.")
    with children.job_folder(places, "export") as job, progress() as show:
        shutil.copy(file, job / "model.safetensors")
        network = networks.own(settings.learn)
        about = {"task": "export", "run": run, "threads": settings.learn.threads, "network": network and network.job}
        jobfolder.write_json(job, "job.json", about)
        await children.run_child(
            "precious_daemon.learn", job, lambda what, done, total: show({"what": what, "done": done, "total": total})
        )
        card = papers.find(places.nights, run, papers.CARD)
        begun = card.read_text("utf-8") if card else f"# Model {run}\n"
        jobfolder.write_bytes(job, "card.md", (begun + (job / "onnx.md").read_text("utf-8")).encode())
        noted("wrote", "model export", path=str(folder.absolute()))
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(job / name, folder / name)


@model.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path))
@for_voter
def model_import(file: Path, voter: str | None) -> None:
    """Use a model.safetensors that was exported elsewhere, until a night here makes the next one.

    It scores every photo. Nothing it suggests is certified before you have answered blindly. No other kind of file is read:
    safetensors holds numbers, and nothing that runs.
    """
    with reached(voter) as service:
        click.echo(service.post("/api/model", {"file": str(file)})["sentence"])


COMMANDS = (model,)
