"""Discord's documented limits on what a bot may send; breaking one answers 400 with code 50035."""

from __future__ import annotations

from typing import Any

from tests.discord.errors import ApiError, Problems
from tests.discord.state import V2, Json

CONTENT, EMBEDS, EMBED_TOTAL, FILES, ROWS, CUSTOM_ID, V2_PARTS, V2_TEXT = 2000, 10, 6000, 10, 5, 100, 40, 4000
ROW, BUTTON, STRING_SELECT, TEXT_INPUT, SECTION, TEXT, THUMBNAIL, GALLERY, FILE = (
    1,
    2,
    3,
    4,
    9,
    10,
    11,
    12,
    13,
)
SEPARATOR, CONTAINER, LABEL = 14, 17, 18
SELECTS = {3, 5, 6, 7, 8}


def check_message(body: Json, files: int, *, editing: bool = False, kept_files: bool = False) -> None:
    """Raises ApiError if a message body breaks a limit, or would be empty."""
    problems = Problems()
    problems.length("content", body.get("content"), CONTENT)
    problems.length("nonce", body.get("nonce"), 25)
    embeds, components = body.get("embeds") or [], body.get("components") or []
    check_embeds(embeds, problems)
    flags = int(body.get("flags") or 0)
    if flags & V2:
        check_v2(body, components, problems)
    else:
        check_rows(components, problems)
    check_custom_ids(components, problems)
    if files > FILES or len(body.get("attachments") or []) > FILES:
        problems.add("attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {FILES} or fewer in length.")
    for index, item in enumerate(body.get("attachments") or []):
        problems.length(f"attachments.{index}.description", item.get("description"), 1024)
    check_mentions(body.get("allowed_mentions"), problems)
    problems.raise_if_any()
    substance = (
        body.get("content") or embeds or components or files or body.get("sticker_ids") or body.get("poll")
    )
    if not editing and not substance and not kept_files:
        raise ApiError(400, 50006, "Cannot send an empty message")


def check_embeds(embeds: list[Json], problems: Problems) -> None:
    problems.count("embeds", embeds, EMBEDS)
    total = 0
    for index, embed in enumerate(embeds):
        at = f"embeds.{index}"
        problems.length(f"{at}.title", embed.get("title"), 256)
        problems.length(f"{at}.description", embed.get("description"), 4096)
        problems.length(f"{at}.footer.text", (embed.get("footer") or {}).get("text"), 2048)
        problems.length(f"{at}.author.name", (embed.get("author") or {}).get("name"), 256)
        fields = embed.get("fields") or []
        problems.count(f"{at}.fields", fields, 25)
        for number, entry in enumerate(fields):
            for key, high in (("name", 256), ("value", 1024)):
                problems.required(f"{at}.fields.{number}.{key}", (entry.get(key) or "").strip())
                problems.length(f"{at}.fields.{number}.{key}", entry.get(key), high)
        for key in ("image", "thumbnail"):
            check_url(f"{at}.{key}.url", (embed.get(key) or {}).get("url"), problems)
        check_url(f"{at}.url", embed.get("url"), problems, attachments=False)
        total += embed_size(embed)
    if total > EMBED_TOTAL:
        problems.add("embeds", "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {EMBED_TOTAL}")


def embed_size(embed: Json) -> int:
    """Characters that count towards the 6,000 a message may have."""
    words = [embed.get("title"), embed.get("description")]
    words += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    for entry in embed.get("fields") or []:
        words += [entry.get("name"), entry.get("value")]
    return sum(len(word) for word in words if word)


def check_url(path: str, url: Any, problems: Problems, *, attachments: bool = True) -> None:
    allowed = ("http://", "https://", "attachment://") if attachments else ("http://", "https://")
    if url and not str(url).startswith(allowed):
        problems.add(path, "URL_TYPE_INVALID_SCHEME", f'Scheme of "{url}" must be one of {allowed}.')
    problems.length(path, url, 2048)


def check_mentions(mentions: Json | None, problems: Problems) -> None:
    if not mentions:
        return
    for kind in ("users", "roles"):
        if mentions.get(kind) and kind in mentions.get("parse", []):
            problems.add(
                "allowed_mentions.parse",
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f"{kind} is mutually exclusive",
            )
        problems.count(f"allowed_mentions.{kind}", mentions.get(kind) or [], 100)


def check_rows(rows: list[Json], problems: Problems, at: str = "components") -> None:
    """Action rows: five at most, of five buttons or one select."""
    if len(rows) > ROWS:
        problems.add(at, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {ROWS} in length.")
    for index, row in enumerate(rows):
        if row.get("type") != ROW:
            problems.add(f"{at}.{index}.type", "UNION_TYPE_CHOICES", "Value of field must be one of (1,).")
            continue
        check_row(row, f"{at}.{index}", problems)


def check_row(row: Json, at: str, problems: Problems) -> None:
    parts = row.get("components") or []
    width = sum(5 if part.get("type") in SELECTS else 1 for part in parts)
    if not parts or width > 5:
        problems.add(
            f"{at}.components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "Must be between 1 and 5 in width."
        )
    for number, part in enumerate(parts):
        check_part(part, f"{at}.components.{number}", problems)


def check_part(part: Json, at: str, problems: Problems) -> None:
    """One button or select."""
    kind = part.get("type")
    if kind == BUTTON:
        check_button(part, at, problems)
    elif kind in SELECTS:
        problems.required(f"{at}.custom_id", part.get("custom_id"))
        problems.length(f"{at}.custom_id", part.get("custom_id"), CUSTOM_ID, 1)
        problems.length(f"{at}.placeholder", part.get("placeholder"), 150)
        if kind == STRING_SELECT:
            check_options(part.get("options") or [], f"{at}.options", problems)
    else:
        problems.add(f"{at}.type", "UNION_TYPE_CHOICES", "Value of field must be a button or a select.")


def check_button(part: Json, at: str, problems: Problems) -> None:
    problems.length(f"{at}.label", part.get("label"), 80)
    style = part.get("style")
    if style == 5:
        problems.required(f"{at}.url", part.get("url"))
        problems.length(f"{at}.url", part.get("url"), 512)
    elif style in (1, 2, 3, 4):
        problems.required(f"{at}.custom_id", part.get("custom_id"))
        problems.length(f"{at}.custom_id", part.get("custom_id"), CUSTOM_ID, 1)
    elif style != 6:
        problems.add(f"{at}.style", "BASE_TYPE_CHOICES", "Value must be one of (1, 2, 3, 4, 5, 6).")
    if style != 6 and not part.get("label") and not part.get("emoji"):
        problems.add(
            at, "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED", "A button must have a label or an emoji."
        )


def check_options(options: list[Json], at: str, problems: Problems) -> None:
    problems.count(at, options, 25, 1)
    values = [option.get("value") for option in options]
    if len(set(values)) < len(values):
        problems.add(
            at, "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used"
        )
    for index, option in enumerate(options):
        for key, low in (("label", 1), ("value", 1), ("description", 0)):
            problems.length(f"{at}.{index}.{key}", option.get(key), 100, low)


def check_v2(body: Json, components: list[Json], problems: Problems) -> None:
    """Components V2: forty parts, 4,000 characters of text, and none of the older fields."""
    for field in ("content", "embeds", "poll", "sticker_ids"):
        if body.get(field):
            problems.add(
                field, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", f"{field} cannot be used"
            )
    parts = list(walk(components))
    if len(parts) > V2_PARTS:
        problems.add("components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", f"Must be {V2_PARTS} or fewer.")
    if sum(len(part.get("content") or "") for part in parts if part.get("type") == TEXT) > V2_TEXT:
        problems.add("components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", f"Must be {V2_TEXT} or fewer.")
    for index, part in enumerate(components):
        check_block(part, f"components.{index}", problems)


def check_block(part: Json, at: str, problems: Problems) -> None:
    """One V2 block and what it holds."""
    kind = part.get("type")
    inner = part.get("components") or []
    if kind == ROW:
        check_row(part, at, problems)
    elif kind == SECTION:
        problems.count(f"{at}.components", inner, 3, 1)
        problems.required(f"{at}.accessory", part.get("accessory"))
        accessory = part.get("accessory") or {}
        if accessory.get("type") == BUTTON:
            check_button(accessory, f"{at}.accessory", problems)
    elif kind == CONTAINER:
        problems.count(f"{at}.components", inner, V2_PARTS, 1)
        for index, child in enumerate(inner):
            check_block(child, f"{at}.components.{index}", problems)
    elif kind == GALLERY:
        problems.count(f"{at}.items", part.get("items") or [], 10, 1)
    elif kind == TEXT:
        problems.length(f"{at}.content", part.get("content"), V2_TEXT, 1)
    elif kind not in (FILE, SEPARATOR):
        problems.add(f"{at}.type", "UNION_TYPE_CHOICES", "Not a component that may stand here.")


def walk(components: list[Json]) -> Any:
    """All components, depth first."""
    for part in components:
        yield part
        yield from walk(part.get("components") or [])
        for single in ("accessory", "component"):
            if part.get(single):
                yield from walk([part[single]])


def check_custom_ids(components: list[Json], problems: Problems) -> None:
    seen: set[str] = set()
    for index, part in enumerate(walk(components)):
        custom_id = part.get("custom_id")
        if custom_id in seen:
            problems.add(
                f"components.{index}.custom_id",
                "COMPONENT_CUSTOM_ID_DUPLICATED",
                "Component custom id cannot be duplicated",
            )
        if custom_id:
            seen.add(custom_id)
