"""A newer version takes over without a lost request; one that is broken, or half there, changes nothing."""

import asyncio
import json
import threading

import pytest

from asyncpatterns.serving import UnknownName, Versions
from asyncpatterns.serving.app import ServingApp
from asyncpatterns.serving.deployment import Deployment
from asyncpatterns.testing import run

from .fakes import AddingModel, call

BODY = json.dumps({"instances": [[1, 2]]}).encode()


class Model(AddingModel):
    """Answers with its version added; takes 10 ms."""

    def __init__(self, version):
        super().__init__()
        self.version, self.closed = version, False

    async def __call__(self, items):
        assert not self.closed
        await asyncio.sleep(0.01)
        return [{"total": each["total"] + 1000 * self.version} for each in await super().__call__(items)]

    def close(self):
        self.closed = True


class Shelf:
    """A folder of versions, and what was loaded from it."""

    def __init__(self, folder):
        self.folder, self.loaded = folder, {}

    def put(self, version, text="a model"):
        path = self.folder / str(version)
        path.mkdir(exist_ok=True)
        (path / "saved_model.pb").write_text(text)

    def make(self, version):
        assert threading.current_thread() is not threading.main_thread()
        if "broken" in (self.folder / str(version) / "saved_model.pb").read_text():
            raise ValueError("no such op")
        self.loaded[version] = Model(version)
        return Deployment(self.loaded[version], name="sums")


@pytest.fixture
def shelf(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.put(1)
    return shelf


def with_versions(shelf, scenario):
    """Runs `scenario(versions)` in virtual time; nobody polls but the scenario, by `look()`."""
    async def main():
        async with Versions(shelf.folder, shelf.make, name="sums", poll=1e9) as versions:
            return await scenario(versions)
    return run(main)


async def ask(versions, version=None):
    return json.loads(await versions.predict(BODY, version))["predictions"][0]


def states(versions):
    return [(int(each["version"]), each["state"]) for each in versions.status()["model_version_status"]]


def test_the_newest_version_takes_over_and_the_old_one_is_closed(shelf):
    async def scenario(versions):
        before = await ask(versions), states(versions)
        shelf.put(2)
        await versions.look()                           # seen, but it may still be being copied
        unsettled = versions.version
        await versions.look()
        return before, unsettled, await ask(versions), states(versions)
    before, unsettled, after, end = with_versions(shelf, scenario)
    assert before == (1003, [(1, "AVAILABLE")]) and unsettled == 1
    assert after == 2003 and end == [(2, "AVAILABLE"), (1, "END")]
    assert shelf.loaded[1].closed and not shelf.loaded[2].closed


def test_not_one_of_the_requests_during_switches_is_lost(shelf):
    async def scenario(versions):
        answers = []

        async def client(number):
            for _ in range(60):
                answers.append(await ask(versions))
                await asyncio.sleep(0.001 * number)

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(client(number))
            for version in (2, 3, 10):
                shelf.put(version)
                await versions.look()
                await versions.look()
        return answers
    answers = with_versions(shelf, scenario)
    assert len(answers) == 1200 and set(answers) <= {1003, 2003, 3003, 10003} and {1003, 10003} <= set(answers)


def test_a_version_that_is_still_growing_is_let_alone(shelf):
    async def scenario(versions):
        for size in range(1, 5):
            shelf.put(2, "x" * size)
            await versions.look()
        growing = set(shelf.loaded)
        await versions.look()
        return growing, versions.version
    assert with_versions(shelf, scenario) == ({1}, 2)


def test_a_broken_version_is_reported_and_tried_again_only_when_it_changes(shelf):
    async def scenario(versions):
        shelf.put(2, "broken")
        for _ in range(4):
            await versions.look()
        broken = versions.status(2)["model_version_status"], await ask(versions)
        shelf.put(2, "mended")
        await versions.look()
        await versions.look()
        return broken, await ask(versions)
    (status, meanwhile), after = with_versions(shelf, scenario)
    assert status == [{"version": "2", "state": "END",
                       "status": {"error_code": "UNKNOWN", "error_message": "ValueError: no such op"}}]
    assert meanwhile == 1003 and after == 2003


def test_where_the_newest_is_taken_away_the_one_before_comes_back(shelf):
    async def scenario(versions):
        shelf.put(2)
        await versions.look()
        await versions.look()
        (shelf.folder / "2" / "saved_model.pb").unlink()
        await versions.look()
        return await ask(versions)
    assert with_versions(shelf, scenario) == 1003


def test_an_empty_folder_changes_nothing(shelf):
    async def scenario(versions):
        (shelf.folder / "1" / "saved_model.pb").unlink()
        await versions.look()
        await versions.look()
        return await ask(versions)
    assert with_versions(shelf, scenario) == 1003


def test_a_version_can_be_named_and_an_unknown_one_is_refused(shelf):
    async def scenario(versions):
        named = await ask(versions, 1)
        with pytest.raises(UnknownName, match=r"Specific\(sums, 7\); version 1 is served"):
            await ask(versions, 7)
        with pytest.raises(UnknownName, match="Could not find version 7 of model sums"):
            versions.status(7)
        return named
    assert with_versions(shelf, scenario) == 1003


def test_the_folder_is_looked_at_by_itself(shelf):
    async def main():
        async with Versions(shelf.folder, shelf.make, name="sums", poll=2.0) as versions:
            shelf.put(2)
            await asyncio.sleep(4.5)
            return versions.version
    assert run(main) == 2


def test_leaving_during_a_switch_answers_what_the_old_version_admitted(shelf):
    async def main():
        async with Versions(shelf.folder, shelf.make, name="sums", poll=1e9) as versions:
            asked = [asyncio.ensure_future(ask(versions)) for _ in range(5)]
            await asyncio.sleep(0)
            shelf.put(2)
            await versions.look()
            looking = asyncio.create_task(versions.look())
            await asyncio.sleep(0)
        return await asyncio.gather(*asked), await looking
    assert run(main)[0] == [1003] * 5


def test_a_folder_without_a_model_is_refused(tmp_path):
    async def main():
        async with Versions(tmp_path, lambda version: None, name="sums"):
            pass
    with pytest.raises(FileNotFoundError, match=r"expected saved_model\.pb"):
        run(main)


def test_the_app_speaks_for_every_version(shelf):
    async def scenario(versions):
        app = ServingApp(versions)
        shelf.put(2)
        await versions.look()
        await versions.look()
        return [await call(app, "GET", f"/v1/models/sums{what}") for what in ("", "/versions/2", "/versions/9",
                                                                              "/versions/2/metadata", "/labels/stable")]
    every, two, nine, metadata, label = with_versions(shelf, scenario)
    assert [each["version"] for each in every[2]["model_version_status"]] == ["2", "1"]
    assert [each["state"] for each in two[2]["model_version_status"]] == ["AVAILABLE"]
    assert nine[0] == 404 and metadata[2]["model_spec"]["version"] == "2" and label[0] == 404
