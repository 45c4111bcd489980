"""The buttons under a session's panel. They name session, cover and take, so they outlive every process."""

from __future__ import annotations

import re
from typing import Any, Self

import discord

from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.embeds import plain
from bot.messages.errors import Refusal
from bot.services import services_of
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.panel.content import PanelContent
from bot.sessions.panel.redaction import redacted
from bot.sessions.playback.view import PlaybackStatus, SessionView
from bot.sessions.state.model import HIGHEST_SCORE, LOWEST_SCORE, Clip, Entry, Session
from bot.ui.buttons import PREFIX, PermanentItem, chosen_value

_SESSION = r"(?P<session>[0-9a-f]{32})"
_TAKE = r"(?P<entry>\d{1,6}):(?P<clip>[01])"
_CONFIRMED_SECONDS = 6.0
_MOST_MENUS = 5


def may_steer(interaction: discord.Interaction[Any], session: Session) -> bool:
    """Whether somebody decides over a session: its host, and moderators."""
    allowed = interaction.permissions
    return interaction.user.id == session.host_id or allowed.manage_messages or allowed.manage_guild


def require_steering(interaction: discord.Interaction[Any], session: Session) -> None:
    """Raises Refusal for everybody else."""
    if not may_steer(interaction, session):
        raise Refusal("session.hosts_only")


def panel_buttons(board: PanelContent) -> discord.ui.View | None:
    """The buttons for what plays; None once the session is over."""
    view, locale = board.view, board.locale
    if view.status is PlaybackStatus.OVER:
        return None
    session_id = view.session.session_id
    shown = discord.ui.View(timeout=None)
    if view.current is not None:
        place = (view.current.entry_id, view.current_clip)
        for score in range(LOWEST_SCORE, HIGHEST_SCORE + 1):
            shown.add_item(ScoreButton(session_id, *place, score))
        shown.add_item(StarButton(session_id, *place, locale))
        shown.add_item(SkipButton(session_id, locale))
        shown.add_item(PauseButton(session_id, locale, paused=view.status is PlaybackStatus.PAUSED))
    if any(view.is_open(entry) for entry in view.entries):
        shown.add_item(MineButton(session_id, locale))
    return shown


class _SessionItem(PermanentItem):
    """What the items share: the session is looked up."""

    session_id: str

    def now(self, interaction: discord.Interaction[Any]) -> SessionView:
        """The session as it is. Raises Refusal where it does not run (any more)."""
        view = services_of(interaction)[SessionManager].view(self.session_id)
        if view is None:
            raise Refusal("session.button_too_late")
        return view


async def _confirm(interaction: discord.Interaction[Any], words: str) -> None:
    await interaction.response.send_message(words, ephemeral=True, delete_after=_CONFIRMED_SECONDS)


async def cast(
    interaction: discord.Interaction[Any],
    view: SessionView,
    entry_id: int,
    clip: int,
    *,
    score: int | None = None,
) -> str:
    """Store a score, or turn a ⭐ on or off; returns the sentence that confirms it. Raises Refusal."""
    entry = next((entry for entry in view.entries if entry.entry_id == entry_id), None)
    if entry is None or clip >= len(entry.clips):
        raise Refusal("session_core.vote_unknown")
    job_id, user = entry.clips[clip].job_id, interaction.user
    locale = await locale_of(interaction)
    starred = None
    if score is None:
        starred = not any(vote.starred for vote in view.votes_of(job_id) if vote.user_id == user.id)
    sessions = services_of(interaction)[SessionManager]
    await sessions.vote(
        view.session.session_id, entry_id, job_id, user.id, user.display_name, score=score, starred=starred
    )
    cover = plain(redacted(view, entry).ballot_words(clip, locale))
    if score is not None:
        return text(locale, "session.voted", score=score, cover=cover)
    return text(locale, "session.starred" if starred else "session.unstarred", cover=cover)


class ScoreButton(
    _SessionItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=rf"{PREFIX}:sv:{_SESSION}:{_TAKE}:(?P<score>[1-5])",
):
    """1 to 5 for what plays."""

    def __init__(self, session_id: str, entry_id: int, clip: int, score: int) -> None:
        super().__init__(
            discord.ui.Button(
                label=str(score),
                style=discord.ButtonStyle.primary,
                custom_id=f"{PREFIX}:sv:{session_id}:{entry_id}:{clip}:{score}",
                row=0,
            )
        )
        self.session_id, self.entry_id, self.clip, self.score = session_id, entry_id, clip, score

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button that was pressed."""
        return cls(match["session"], int(match["entry"]), int(match["clip"]), int(match["score"]))

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Vote."""
        words = await cast(interaction, self.now(interaction), self.entry_id, self.clip, score=self.score)
        await _confirm(interaction, words)


class StarButton(
    _SessionItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=rf"{PREFIX}:ss:{_SESSION}:{_TAKE}",
):
    """⭐ on and off."""

    def __init__(self, session_id: str, entry_id: int, clip: int, locale: str = "en") -> None:
        super().__init__(
            discord.ui.Button(
                emoji="⭐",
                label=text(locale, "session.button.star"),
                custom_id=f"{PREFIX}:ss:{session_id}:{entry_id}:{clip}",
                row=1,
            )
        )
        self.session_id, self.entry_id, self.clip = session_id, entry_id, clip

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button that was pressed."""
        return cls(match["session"], int(match["entry"]), int(match["clip"]))

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Star."""
        await _confirm(interaction, await cast(interaction, self.now(interaction), self.entry_id, self.clip))


class _Plain(
    _SessionItem, discord.ui.DynamicItem[discord.ui.Button[Any]], template=rf"{PREFIX}:s-:{_SESSION}"
):
    """Base of the buttons that name a session only."""

    def __init__(self, session_id: str, action: str, emoji: str, label: str, row: int = 1) -> None:
        super().__init__(
            discord.ui.Button(emoji=emoji, label=label, custom_id=f"{PREFIX}:{action}:{session_id}", row=row)
        )
        self.session_id = session_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button that was pressed."""
        return cls(match["session"])  # type: ignore[call-arg]  # each subclass needs no more


class SkipButton(_Plain, template=rf"{PREFIX}:sk:{_SESSION}"):
    """A vote to skip."""

    def __init__(self, session_id: str, locale: str = "en") -> None:
        super().__init__(session_id, "sk", "⏭️", text(locale, "session.button.skip"))

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Count it."""
        self.now(interaction)
        controls = services_of(interaction)[SessionManager].controls(self.session_id)
        result = await controls.skip(interaction.user.id)
        locale = await locale_of(interaction)
        key = "session.skipped" if result.skipped else "session.skip_counted"
        await _confirm(interaction, text(locale, key, votes=result.votes, needed=result.needed))


class PauseButton(_Plain, template=rf"{PREFIX}:sp:{_SESSION}"):
    """Pause and go on, for host and moderators."""

    def __init__(self, session_id: str, locale: str = "en", *, paused: bool = False) -> None:
        key = "session.button.go_on" if paused else "session.button.pause"
        super().__init__(session_id, "sp", "▶️" if paused else "⏸️", text(locale, key))

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Turn it over; the panel shows what it became."""
        view = self.now(interaction)
        require_steering(interaction, view.session)
        await interaction.response.defer()
        controls = services_of(interaction)[SessionManager].controls(self.session_id)
        await controls.set_paused(view.status is not PlaybackStatus.PAUSED)


class MineButton(_Plain, template=rf"{PREFIX}:sm:{_SESSION}"):
    """One's own votes, to be changed while they can be."""

    def __init__(self, session_id: str, locale: str = "en") -> None:
        super().__init__(session_id, "sm", "🗳️", text(locale, "session.button.mine"))

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Show a menu for each take whose vote is open, the latest first."""
        view = self.now(interaction)
        locale = await locale_of(interaction)
        menus = discord.ui.View(timeout=None)
        for entry, place in _open_takes(view)[:_MOST_MENUS]:
            menus.add_item(ScoreMenu.of(view, entry, place, interaction.user.id, locale))
        if not menus.children:
            raise Refusal("session.no_open_votes")
        await interaction.response.send_message(text(locale, "session.mine"), view=menus, ephemeral=True)


def _open_takes(view: SessionView) -> list[tuple[Entry, int]]:
    """Takes that can be voted on, the latest first; of what plays only those that have begun."""
    found = []
    for entry in view.entries:
        if not view.is_open(entry):
            continue
        heard = view.current_clip + 1 if entry == view.current else len(entry.clips)
        found += [(entry, place) for place in range(heard)]
    found.sort(key=lambda each: (each[0].played_at or 0.0, each[1]), reverse=True)
    return found


class ScoreMenu(
    _SessionItem,
    discord.ui.DynamicItem[discord.ui.Select[Any]],
    template=rf"{PREFIX}:svm:{_SESSION}:{_TAKE}",
):
    """A menu of 1 to 5 for one take."""

    def __init__(
        self,
        session_id: str,
        entry_id: int,
        clip: int,
        placeholder: str | None = None,
        chosen: int | None = None,
    ) -> None:
        options = [
            discord.SelectOption(label=f"{score} {'★' * score}", value=str(score), default=score == chosen)
            for score in range(HIGHEST_SCORE, LOWEST_SCORE - 1, -1)
        ]
        super().__init__(
            discord.ui.Select(
                custom_id=f"{PREFIX}:svm:{session_id}:{entry_id}:{clip}",
                options=options,
                placeholder=placeholder and placeholder[:150],
            )
        )
        self.session_id, self.entry_id, self.clip = session_id, entry_id, clip

    @classmethod
    def of(cls, view: SessionView, entry: Entry, place: int, user_id: int, locale: str) -> ScoreMenu:
        """The menu as a member sees it. Once a score is chosen it hides the name, so the options carry it."""
        clip: Clip = entry.clips[place]
        mine = next((vote.score for vote in view.votes_of(clip.job_id) if vote.user_id == user_id), None)
        label = redacted(view, entry).ballot_words(place, locale)
        menu = cls(view.session.session_id, entry.entry_id, place, label, mine)
        for option in menu.item.options:
            option.description = label[:100]
        return menu

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The menu that was used."""
        return cls(match["session"], int(match["entry"]), int(match["clip"]))

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Vote."""
        score = int(chosen_value(interaction))
        words = await cast(interaction, self.now(interaction), self.entry_id, self.clip, score=score)
        await _confirm(interaction, words)


ITEMS = (ScoreButton, StarButton, SkipButton, PauseButton, MineButton, ScoreMenu)
"""All that have to be registered."""
