"""Names as letters: one spelling for the many in which a name is written, printed and misread."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_LETTERS = str.maketrans(
    {
        **{"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"},
        **{"$": "s", "€": "e", "@": "a", "†": " ", "&": " and ", "+": " and "},
    }
)
_DROPPED = re.compile(r"['’‘`´.]")
_STROKE = re.compile(r"(?<=\w)!(?=\w)")
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ][a-zà-ÿ])")
_JOINED = re.compile(
    r"\s*(?:,|/|;|&|\+|\b(?:feat|ft|featuring|with|and|vs|x|presents)\b\.?)\s*", re.IGNORECASE
)
_BRACKETS = re.compile(r"[(\[].*?[)\]]")
_EDITION = re.compile(
    r"\s*[-:]?\s*\b(?:EP|OST|LP|(?:original )?(?:motion picture )?soundtrack|mixtape|"
    r"(?:deluxe|expanded|limited|special|anniversary|collector's) edition|remaster(?:ed)?)\b\.?",
    re.IGNORECASE,
)

ARTICLES = frozenset({"the", "and", "a", "an"})

_MISREAD = str.maketrans({"0": "o", "1": "i", "l": "i", "3": "e", "5": "s", "8": "b", "j": "i"})


def words(text: str) -> list[str]:
    """The words of a name, lower case, without accents, apostrophes and full stops.

    "KE$HA" is ["kesha"], "A.C. Newman" and "A C Newman" are ["ac", "newman"], "P!nk" is ["pink"]. Other
    scripts keep their letters.
    """
    lower = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(char for char in lower if not unicodedata.combining(char)).translate(_LETTERS)
    found: list[str] = []
    initials = False
    for word in _WORD.findall(_STROKE.sub("i", _DROPPED.sub("", plain))):
        single = len(word) == 1 and word.isalpha()
        if single and initials:
            found[-1] += word
        else:
            found.append(word)
        initials = single
    return found


def printed_words(text: str) -> list[str]:
    """`words` of a line as read, where recognition may have lost spaces: "DavidBowie" is two words."""
    return words(_CAMEL.sub(" ", text))


def letters(parts: Sequence[str]) -> str:
    """Words joined without articles and "and"; with them where little else is left ("The The", "a-ha")."""
    if all(len(word) <= 2 for word in parts):
        return "".join(parts)
    core = "".join(word for word in parts if word not in ARTICLES)
    return core if len(core) >= 2 else "".join(parts)


def name_key(name: str) -> str:
    """What is the same for every spelling of a name: "AC/DC" and "AC_DC", "Beatles, The" and "The Beatles".

    A name without any letter or digit ("!!!") is its own key.
    """
    return letters(words(name)) or name.strip()


def folded(text: str) -> str:
    """Letters that recognition confuses as one: 0 and o, 1, l and i, 3 and e, 5 and s, 8 and b, vv and w.

    Digits alone stay what they are.
    """
    return text if text.isdigit() else text.translate(_MISREAD).replace("vv", "w")


def joined_names(name: str) -> list[str]:
    """The names in a joint credit: "A feat. B" → ["A", "B"]; [] where there is only one."""
    parts = [part.strip() for part in _JOINED.split(name)]
    kept = [part for part in parts if part]
    return kept if len(kept) > 1 else []


def plain_title(title: str) -> str:
    """A title without brackets and edition: "Low (Deluxe Edition)" → "Low"."""
    bare = _EDITION.sub("", _BRACKETS.sub("", title)).strip(" -:")
    return bare or title


def grams(text: str) -> list[str]:
    """Letter groups of three, with both ends marked; each once."""
    padded = f"^{text}$"
    return list(dict.fromkeys(padded[i : i + 3] for i in range(len(padded) - 2)))
