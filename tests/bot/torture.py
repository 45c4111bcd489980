"""Kill the bot and its workers at random while people use it and Discord misbehaves; count what comes of it.

People send pictures with /albumgen and /compare, each with a seed of its own, which the clips carry, and vote
on comparisons. Whoever got no answer in time asks again with another seed, as people do. Afterwards
everything is calm, and `torture_judge` asks what each of them sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import random
import signal
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from PIL import Image

from tests.bot import instant_bot, instant_runner
from tests.bot.torture_judge import Asked, Report, Vote, is_comparison, judge
from tests.discord.driver import LoopbackDiscord, Person
from tests.discord.faults import Kind
from tests.discord.process import BotProcess

CONFIG = """
data_dir = "{home}/data"
[inference]
workers = 2
max_jobs_per_member = 1000
max_jobs_per_group = 5000
max_jobs = 10000
min_free_megabytes = 0
[discord]
token = "{token}"
http_port = 0
progress_interval = 1.0
[discord.guild_defaults]
cooldown_seconds = 0
jobs_per_member = 20
"""

SENDING = (
    "PATCH /channels/*/messages/*",
    "POST /channels/*/messages",
    "PATCH /webhooks/**",
    "POST /webhooks/**",
)
ACKNOWLEDGING = "POST /interactions/**"
_AHEAD = 0.1
"""How far the requests may be ahead of the kills, as a share of all."""


def start_faults(loopback: LoopbackDiscord, seed: int, often: float = 1.0) -> None:
    """429 of one bucket and of all, 502, connections cut before and after a request was processed.

    `often` multiplies every chance.
    """
    numbers = itertools.count(seed * 1000)

    def add(route: str, kind: Kind, chance: float) -> None:
        loopback.faults.at_random(route, kind, chance * often, seed=next(numbers))

    for route in SENDING:
        add(route, Kind.RATE_LIMIT, 0.03)
        add(route, Kind.GLOBAL_RATE_LIMIT, 0.005)
        add(route, Kind.STATUS, 0.04)
        add(route, Kind.RESET_BEFORE, 0.02)
        add(route, Kind.RESET_AFTER, 0.04)
    add(ACKNOWLEDGING, Kind.STATUS, 0.01)
    add(ACKNOWLEDGING, Kind.RESET_AFTER, 0.02)


def cover(seed: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (48, 48), (seed * 37 % 256, seed * 91 % 256, 120)).save(target, "PNG")
    return target.getvalue()


class Torture:
    """Runs the whole thing; everything random comes from one seed."""

    def __init__(
        self, home: Path, seed: int, *, people: int = 25, job_seconds: float = 0.3, faults: float = 1.0
    ) -> None:
        self.report = Report()
        self.home = home
        self._rng = random.Random(seed)
        self._dice = random.Random(f"votes {seed}")
        self._seed = seed
        self._people = people
        self._job_seconds = job_seconds
        self._faults = faults
        self._asked: list[Asked] = []
        self._votes: list[Vote] = []
        self._numbers = itertools.count(1)
        self._bot: BotProcess | None = None
        self._stopping = False

    async def run(
        self,
        *,
        jobs: int,
        kills: int,
        bot_pause: tuple[float, float] = (1.5, 4.0),
        worker_pause: tuple[float, float] = (0.5, 1.5),
        patience: float = 120.0,
    ) -> Report:
        """Until `jobs` requests were acknowledged and `kills` processes killed; then wait, then judge.

        Half of the kills hit the bot, half a worker, each after a random pause between two lengths in s.
        """
        started = time.monotonic()
        async with LoopbackDiscord(check_schemas=False) as loopback:
            self._loopback = loopback
            (self.home / "config.toml").write_text(CONFIG.format(home=self.home, token=loopback.token))
            people = [loopback.user(f"P{index}") for index in range(self._people)]
            guild = loopback.guild("House", people[0], people[1:], [f"room-{i}" for i in range(4)])
            self._channels = [
                channel for channel in guild.channels.values() if channel.name.startswith("room")
            ]
            keeper = asyncio.create_task(self._keep_alive())
            await loopback.gateway.wait_connected(within=60)
            start_faults(loopback, self._seed, self._faults)
            asking = [asyncio.create_task(self._ask(person, jobs, kills)) for person in people]
            hurting = [
                asyncio.create_task(self._kill_bots(kills // 2, bot_pause)),
                asyncio.create_task(self._kill_workers(kills - kills // 2, worker_pause)),
                asyncio.create_task(self._cut_gateway()),
            ]
            try:
                await asyncio.gather(*asking, hurting[0], hurting[1])
                hurting[2].cancel()
                self.report.tortured_for = time.monotonic() - started
                self._calm()
                self.report.settled_after = await self._settle(patience)
                start_faults(loopback, self._seed + 1, self._faults)
                await self._elect(people, max(1, kills // 20))
                self._calm()
                await self._settle(patience)
            finally:
                self._stopping = True
                for task in (*asking, *hurting):
                    task.cancel()
                await self._stop_politely()
                keeper.cancel()
                await asyncio.gather(keeper, *asking, *hurting, return_exceptions=True)
            with contextlib.closing(self._database()) as database:
                judge(self.report, self._asked, self._votes, loopback, database, self.home / "data")
        return self.report

    # people

    async def _ask(self, person: Person, jobs: int, kills: int) -> None:
        """Ask, wait for the acknowledgement, ask again; until enough requests were acknowledged."""
        while self.report.acknowledged < jobs:
            rng = self._rng
            await asyncio.sleep(rng.uniform(0.0, 0.8))
            if self.report.acknowledged / jobs > self.report.kills / kills + _AHEAD:
                continue  # so that no kill hits an idle bot
            private = rng.random() < 0.15
            place = person.dm if rng.random() < 0.1 else rng.choice(self._channels)
            if not self._loopback.gateway.connected:
                await asyncio.sleep(0.1)  # Discord shows the bot as offline
                continue
            seed = next(self._numbers)
            comparison = seed % 6 == 0
            used = await person.slash(
                place,
                "compare" if comparison else "albumgen",
                image=cover(seed),
                seed=seed,
                private=private or None,
            )
            self._asked.append(Asked(seed, used, private, comparison))
            with contextlib.suppress(TimeoutError):
                await used.wait_acknowledged(within=3.2)
                self.report.acknowledged += 1
            await self._vote(person)

    async def _elect(self, people: Sequence[Person], kills: int) -> None:
        """Now that comparisons are there: many votes, while the bot is killed a few times more."""

        async def vote_often(person: Person) -> None:
            while True:
                await self._vote(person)
                await asyncio.sleep(self._dice.uniform(0.1, 0.6))

        voters = [asyncio.create_task(vote_often(person)) for person in people]
        for killed in range(kills + 1):
            await self._loopback.gateway.wait_connected(within=60)
            await asyncio.sleep(self._dice.uniform(0.2, 1.2))
            if killed < kills and self._bot is not None:
                self._bot.kill()
                await self._bot.process.wait()
                self.report.bot_kills += 1
                await asyncio.sleep(0.3)
        for voter in voters:
            voter.cancel()
        failed = await asyncio.gather(*voters, return_exceptions=True)
        self.report.failures += [repr(each) for each in failed if isinstance(each, Exception)]

    def _calm(self) -> None:
        """No more faults; those that struck are counted."""
        for fault in self._loopback.faults.planned:
            self.report.faults[fault.kind.value] += fault.hits
        self._loopback.faults.clear()

    async def _vote(self, person: Person) -> None:
        """Vote on a comparison that one has not voted on yet, if there is any."""
        voted = {vote.message.id for vote in self._votes if vote.interaction.user is person.user}
        open_to_all = [
            message
            for channel in self._channels
            for message in self._loopback.messages(channel)
            if is_comparison(message) and message.id not in voted
        ]
        if open_to_all and self._loopback.gateway.connected:
            message = self._dice.choice(open_to_all)
            used = await person.click(message, self._dice.choice(["Take A", "Take B", "No difference"]))
            self._votes.append(Vote(message, used))
            with contextlib.suppress(TimeoutError):
                await used.wait_followup(within=3.2)

    # the torturer

    async def _keep_alive(self) -> None:
        environment = {
            instant_bot.DEATHS: "100000",  # the killing is not the jobs' fault
            instant_bot.PAUSE: "0.5",
            instant_runner.SECONDS: str(self._job_seconds),
        }
        while not self._stopping:
            self._bot = await self._loopback.start_bot(
                ["--config", str(self.home / "config.toml")], environment=environment, entry=instant_bot.ENTRY
            )
            await self._bot.process.wait()
            if not self._stopping and self._bot.process.returncode != -signal.SIGKILL:
                self.report.failures.append("the bot ended by itself: " + " | ".join(self._bot.log[-12:]))
                await asyncio.sleep(1.0)

    async def _kill_bots(self, kills: int, pause: tuple[float, float]) -> None:
        while self.report.bot_kills < kills:
            await asyncio.sleep(self._rng.uniform(*pause))
            if self._bot is not None and self._bot.running:
                self._bot.kill()
                await self._bot.process.wait()
                self.report.bot_kills += 1

    async def _kill_workers(self, kills: int, pause: tuple[float, float]) -> None:
        while self.report.worker_kills < kills:
            await asyncio.sleep(self._rng.uniform(*pause))
            workers = self._workers()
            if workers:
                with contextlib.suppress(psutil.Error):
                    self._rng.choice(workers).kill()
                    self.report.worker_kills += 1

    def _workers(self) -> list[psutil.Process]:
        if self._bot is None or not self._bot.running:
            return []
        found = []
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self._bot.process.pid).children():
                with contextlib.suppress(psutil.Error):
                    if "albumgen_core.worker.main" in child.cmdline():
                        found.append(child)
        return found

    async def _cut_gateway(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(2.0, 6.0))
            if self._loopback.gateway.connected:
                self.report.gateway_drops += 1
                if self._rng.random() < 0.25:
                    self._loopback.gateway.invalidate()
                else:
                    self._loopback.gateway.drop()

    async def _settle(self, patience: float) -> float:
        """Everything owed must come now, and then nothing more. Returns how long it took, s."""
        started = time.monotonic()
        while time.monotonic() - started < patience and self._unsettled():  # noqa: ASYNC110  (another process)
            await asyncio.sleep(0.2)
        took = time.monotonic() - started
        await asyncio.sleep(2.0)  # room for a second copy to show up
        return took

    def _unsettled(self) -> bool:
        query = (
            "SELECT (SELECT count(*) FROM outbox WHERE delivered_at IS NULL)"
            " + (SELECT count(*) FROM jobs WHERE state IN ('received', 'queued', 'running'))"
        )
        with contextlib.closing(self._database()) as database:
            return bool(database.execute(query).fetchone()[0])

    def _database(self) -> sqlite3.Connection:
        path = self.home / "data" / "journal.sqlite3"
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        database.row_factory = sqlite3.Row
        return database

    async def _stop_politely(self) -> None:
        if self._bot is None or not self._bot.running:
            return
        self._bot.terminate()
        try:
            status = await self._bot.wait(within=30)
        except TimeoutError as error:
            self.report.failures.append(str(error))
            return
        if status != 0:
            self.report.failures.append(f"SIGTERM: exit status {status}: " + " | ".join(self._bot.log[-12:]))
