"""The two buttons that any reply may have: cancel what is on its way, delete what is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import aiohttp
import discord

from albumgen_core.errors import UnknownJobError
from albumgen_core.files import remove_paths
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord
from bot.messages.errors import Refusal
from bot.messages.message_log import MessageLog
from bot.services import services_of
from bot.ui.buttons import JobButton

log = logging.getLogger(__name__)


def may_manage(interaction: discord.Interaction[Any], user_id: int) -> bool:
    """Whether a reply is theirs to remove: who asked for it, or a moderator."""
    return interaction.user.id == user_id or interaction.permissions.manage_messages


async def jobs_of(inference: InferenceClient, delivery_id: str) -> list[JobRecord]:
    """The jobs that are shown together, given the bundle's id or any job's. Raises UnknownJobError."""
    jobs = await inference.history.bundle(delivery_id)
    if jobs:
        return jobs
    record = await inference.record(delivery_id)
    return await inference.history.bundle(record.spec.bundle_id) if record.spec.bundle_id else [record]


async def cancel(inference: InferenceClient, delivery_id: str) -> bool:
    """Cancel a job with its whole bundle. False when all of it had ended. Raises UnknownJobError."""
    jobs = await jobs_of(inference, delivery_id)
    cancelled = [await inference.cancel(job.job_id) for job in jobs if not job.is_terminal]
    return any(cancelled)


class CancelButton(JobButton, action="cancel"):
    """❌ under a queue message."""

    emoji, label_key = "❌", "button.cancel"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Cancel; the message itself is changed by the delivery."""
        inference = services_of(interaction)[InferenceClient]
        jobs = await jobs_of(inference, self.job_id)
        if not may_manage(interaction, asker_of(jobs[0])):
            raise Refusal("refusal.not_yours_to_cancel")
        await interaction.response.defer()
        if not await cancel(inference, self.job_id):
            raise Refusal("refusal.already_finished")


class DeleteButton(JobButton, action="delete"):
    """🗑 under a result: the message and the clip go."""

    emoji, label_key = "🗑️", "button.delete"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Delete the message, then what is kept of the clip."""
        services = services_of(interaction)
        inference, messages = services[InferenceClient], services[MessageLog]
        try:
            jobs = await jobs_of(inference, self.job_id)
        except UnknownJobError:
            jobs = []
        owner = asker_of(jobs[0]) if jobs else await _owner_by_message(messages, interaction)
        if not may_manage(interaction, owner):
            raise Refusal("refusal.not_yours_to_delete")
        await interaction.response.defer()
        if jobs:
            await cancel(inference, self.job_id)
        if interaction.message is not None:
            await messages.mark_deleted([interaction.message.id])
        try:
            await interaction.delete_original_response()
        except discord.NotFound:
            log.debug("the message was gone already")
        except (discord.HTTPException, aiohttp.ClientError):
            if interaction.message is None:
                raise
            await interaction.message.delete()
        await discard(inference, jobs)


async def discard(inference: InferenceClient, jobs: Sequence[JobRecord]) -> None:
    """Remove the results of jobs from disk; takes made from them keep their own files."""
    await asyncio.to_thread(remove_paths, [job.result_dir for job in jobs if job.result_dir])
    await inference.history.forget_results([job.job_id for job in jobs])


def asker_of(record: JobRecord) -> int:
    """The user who asked for a job."""
    return int(record.spec.origin.get("user_id") or 0)


async def _owner_by_message(messages: MessageLog, interaction: discord.Interaction[Any]) -> int:
    known = await messages.find(interaction.message.id) if interaction.message else None
    return known.user_id if known else 0
