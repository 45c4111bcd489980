"""The two jobs of a comparison, and a comparison made from an earlier one."""

from __future__ import annotations

from collections.abc import Sequence

from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord
from albumgen_core.jobs.spec import JobSpec, new_job_id
from bot.comparisons.votes import KIND
from bot.requests.context import RequestContext
from bot.requests.intake import Requests
from bot.takes.regenerate import cover_of, finished


def with_and_without(spec: JobSpec) -> list[JobSpec]:
    """A comparison's two jobs: they differ in nothing but RAG, and are answered together."""
    spec = spec.replace(bundle_id=new_job_id(), rag=True)
    return [spec, spec.replace(job_id=new_job_id(), rag=False)]


async def regenerate_pair(
    inference: InferenceClient, requests: Requests, context: RequestContext, jobs: Sequence[JobRecord]
) -> None:
    """Submit a comparison made from an earlier one's jobs: the same cover and settings, another seed.

    Raises Refusal where no file of the earlier one is kept.
    """
    record, folder = await finished(inference, next((job for job in jobs if job.result_dir), jobs[0]).job_id)
    old = record.spec
    spec = requests.new_spec(
        context,
        seconds=min(old.seconds, context.longest),
        prompt_style=old.prompt_style,
        parent_id=old.job_id,
        root_id=old.root_id or old.job_id,
    )
    cover, notes = await cover_of(folder)
    await requests.submit(context, with_and_without(spec), cover, kind=KIND, notes=notes)
