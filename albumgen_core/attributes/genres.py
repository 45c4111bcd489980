"""One vocabulary of genres, and the way into it from everybody else's words.

Data sets, streaming services and language models name genres freely: MusicOSet alone knows 991. What an
engine predicts, a prompt names and a member chooses comes from `GENRES`; `normalise_genre` leads there by
ordered rules. Narrow rules stand before wide ones, and what decides the sound (metal, hip hop) stands
before what decides the words (christian).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAX_RAW_GENRE = 80
"""Longest raw genre that is kept or looked at, in characters."""

_RULES: tuple[tuple[str, str], ...] = (
    ("r&b", r"new jack \w+"),
    ("folk", r"indie (anthem )?folk"),
    ("blues", r"country blues"),
    ("world", r"hindustani classical"),
    ("soft rock", r"(soft|yacht|piano) rock|mellow gold|neo mellow"),
    ("easy listening", r"dance band"),
    (
        "children's music",
        r"child\w*|kids?|infantil|ninos|lullab\w*|disney|cartoons?|music box|nursery|hoerspiel",
    ),
    ("comedy", r"comed\w+|comics?|pranks?|stand ?up|parody|song poem"),
    (
        "metal",
        r"metal\w*|deathcore|\w*metalcore|mathcore|djent|thrash|deathgrass|doom|shred"
        r"|neue deutsche harte",
    ),
    (
        "electronic",
        r"hip ?hop instrumental|brostep|dubstep|bass trap|electro swing|trip ?hop|miami bass"
        r"|moombahton",
    ),
    (
        "house",
        r"\w*house|big room|melbourne bounce|uk garage|future garage|bassline|bmore|jersey club"
        r"|uk funky",
    ),
    ("techno", r"techno|gabba|hardstyle|gymcore"),
    ("electronic", r"\w*trance"),
    (
        "drum and bass",
        r"drum (and|n) bass|dnb|jungle|jump up|neurofunk|darkstep|tracestep|break ?beat|breaks",
    ),
    ("reggae", r"(euro)?ska|rock ?steady"),
    ("latin", r"reggaeton|cubaton|funk carioca|baile( funk| pop)?|brasileir[oa]"),
    (
        "hip hop",
        r"hip[ -]?hop|rap|rapper|trap|drill|crunk|hyphy|g funk|grime|bounce|boom bap|horrorcore"
        r"|hip pop|k hop",
    ),
    (
        "hip hop",
        r"turntablism|chillhop|lo ?fi beats|abstract beats|bboy|dirty south|escape room|\w+ rap",
    ),
    ("gospel", r"gospel|spirituals"),
    ("emo", r"emo|dreamo|screamo|post screamo"),
    ("punk", r"(post )*hardcore|nintendocore|easycore|trancecore|crust|powerviolence|corrosion"),
    (
        "new wave",
        r"post punk|new wave|new romantic|dance rock|dark wave|madchester|gothic (rock|alternative)",
    ),
    ("punk", r"\w*punk|oi|riot grrrl|skinhead|psychobilly|straight edge"),
    ("christian", r"christian|ccm|worship|praise|adoracao|lds|crestina|jesus"),
    ("reggae", r"reggae|\w*dub|(\w* )?dancehall|lovers rock|ragga|jawaiian|rocksteady|basshall"),
    (
        "latin",
        r"latin[oa]?|banda|bachata|bolero|salsa|cumbia|norten[oa]|gruper[oa]|tejano|mexican|mariachi"
        r"|merengue|sertanejo|axe|pagode|mpb|forro|choro|samba|bossa( nova)?|boogaloo|mambo|flamenco"
        r"|tango|duranguense|cantautor|romantico|rumba|champeta|cuban\w*|espanol|pop nacional|tico"
        r"|colombian|dominican|ecuadorian",
    ),
    (
        "country",
        r"country|bluegrass|banjo|jug band|nashville( sound)?|outlaw|honky ?tonk|redneck"
        r"|cosmic american|\w*americana|steel guitar",
    ),
    ("jazz", r"jazz\w*|\w*bop|swing|big band|dixieland|ragtime|new orleans|stride|tzadik"),
    ("r&b", r"r&b|rnb|r and b|rhythm and blues|quiet storm|urban( contemporary)?|minneapolis sound"),
    ("disco", r"(post )?disco|hi nrg"),
    ("soul", r"soul|motown|doo ?wop|beach music|classic girl group"),
    ("funk", r"funk|go go|boogie|rare groove|strut"),
    ("rock and roll", r"jump blues"),
    ("blues", r"blues|harmonica"),
    (
        "rock and roll",
        r"\w*rockabilly|rock (and|n) roll|(british|spanish) invasion|merseybeat|surf|swamp pop",
    ),
    ("rock and roll", r"freakbeat|mod revival"),
    (
        "soundtrack",
        r"soundtracks?|scores?|scorecore|epicore|movies?|film|video game|themes?|library music",
    ),
    ("show tunes", r"broadway|show ?tunes?|musicals?|cabaret|hollywood|west end"),
    (
        "synth-pop",
        r"\w*synth ?pop|electro ?\w*pop|synth|synthwave|indietronica|metropopolis|vapor pop|etherpop",
    ),
    (
        "dance pop",
        r"dance pop|(australian|belgian|german|uk) dance|eurodance|europop|freestyle|dance party"
        r"|bubblegum dance|pop edm|workout|dakke dak|romanian pop|francoton",
    ),
    (
        "ambient",
        r"ambient|ambeat|new age|sleep|healing|meditation|drone|relaxative|pianissimo|atmosphere"
        r"|spacewave|monastic|music for sleep",
    ),
    (
        "electronic",
        r"electronica?|electro\w*|edm|complextro|big beat|downtempo|chillwave|chill ?out|\w*tronica"
        r"|alternative dance|dance|club|ebm|8 bit|chiptune|idm|moog|coverchill|new french touch"
        r"|balearic|nightrun|bass trip|laboratorio",
    ),
    ("progressive rock", r"prog\w*|neo progressive|canterbury( scene)?|art rock|krautrock|zolo"),
    ("psychedelic rock", r"psychedelic|neo psychedelic|psych|acid rock|space rock|jam band|stoner"),
    (
        "indie pop",
        r""
        r"(indie|chamber|baroque|art|jangle|dream|bedroom|operatic|bow|grunge|garage|shimmer|gauze) pop",
    ),
    (
        "indie pop",
        r"c86|shoegaze|twee|poptimism|shibuya kei|melancholia|sunshine pop|hyperpop|ectofolk",
    ),
    (
        "adult standards",
        r"adult standards?|standards?|crooners?|vocal harmony( group)?|christmas|halloween|holidays?"
        r"|torch",
    ),
    (
        "easy listening",
        r"easy listening|lounge|light music|space age pop|background music|dance band|ballroom|exotica"
        r"|muzak|audiophile( vocal)?|piano cover|instrumental acoustic guitar|elevator",
    ),
    (
        "classical",
        r"classical|neo classical|classify|orchestra\w*|opera|baroque|choir|choral|chamber|soprano"
        r"|mezzo|tenor|cello|violin|flute|harp|contrabass|piano|symphon\w*|romanticism"
        r"|historically informed performance|liturgy|brass band|blaskapelle|marching band|violin"
        r"|oratory|string quartet",
    ),
    (
        "hard rock",
        r"(hard|glam|southern|melodic hard|arena|modern hard) rock|hard glam|hard rock|wrestling",
    ),
    ("classic rock", r"(album|classic|heartland|roots|pub|classic canadian) rock|hard rock classics"),
    (
        "alternative rock",
        r"(alternative|modern|modern alternative|electronic|noise|irish) rock|post rock|grunge"
        r"|post grunge|britpop|permanent wave|hard alternative|alternative( pop rock)?|austindie"
        r"|protopunk|rock en",
    ),
    (
        "indie rock",
        r"indie\w*|garage rock|lo fi|math rock|emo revival|brooklyn|stomp and holler indie|\w+ indie",
    ),
    (
        "singer-songwriter",
        r"singer songwriter|songwriter|acoustic( pop)?|lilith|fingerstyle|coffeehouse",
    ),
    (
        "folk",
        r"\w*folk\w*|celtic|bagpipe|medieval|stomp and holler|sea shanties|appalachian|traditional"
        r"|irish|new tribe",
    ),
    (
        "experimental",
        r"experimental|avant ?garde|noise|outsider|industrial|musique concrete|hauntology|drone",
    ),
    (
        "world",
        r"world|global|afro\w*|african?|hawaiian|native american|desi|indian|hindustani|arab|shaabi"
        r"|sitar|didgeridoo|bouzouki|soca|chutney|steelpan|calypso|funana|azonto|klezmer|chanson|enka"
        r"|canzone napoletana|gypsy|mediterranean|afrikaans|sandalwood|opm|ghanaian|balkan|polka|fado"
        r"|qawwali|raga",
    ),
    (
        "pop",
        r"\w*pop\w*|boy band|girl group|talent show|teen|idol|karaoke|schlager|a cappella|channel"
        r"|scandipop|otacore|anime|viral|candy|disco polo|brill building|tribute|hopebeat"
        r"|deep talent show|bubblegum|denpa kei|(k|j) pop|korean|k indie",
    ),
    ("rock", r"\w*rock\w*|power trio|guitar"),
)

GENRES: tuple[str, ...] = tuple(sorted({genre for genre, _ in _RULES}))
"""The vocabulary: what `MusicalAttributes.album_genre` may be."""

_COMPILED = tuple((genre, re.compile(rf"\b(?:{pattern})(?!\w)")) for genre, pattern in _RULES)
_MISSING = frozenset({"", "-", "missing", "none", "null", "nan", "n/a", "na", "unknown", "other", "various"})
_EXACT = {re.sub(r"[-_]", " ", genre): genre for genre in GENRES}


def _tidy(raw: str) -> str:
    """Lower case, no accents, spaces for hyphens, and no word twice in a row ("hip hip hop")."""
    text = unicodedata.normalize("NFKD", raw[:MAX_RAW_GENRE].casefold())
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"[-_‐-―]", " ", text)
    text = re.sub(r"\br\s*(?:&|'?n'?|and)\s*b\b", "r&b", text)
    text = re.sub(r"\s*&\s*(?!b\b)|\s*['’]n['’]?\s*", " and ", text)
    return re.sub(r"\b(\w{3,})(?: \1\b)+", r"\1", " ".join(text.split()))


@lru_cache(maxsize=4096)
def normalise_genre(raw: str) -> str | None:
    """Find anybody's genre word in `GENRES`.

    Case, accents, hyphens and stuttered words do not matter. Of several genres joined by "/", ",", ";" or
    "|" the first known one counts ("Folk/Country" is folk). Returns None for words that name no genre
    ("male", "-").
    """
    for part in re.split(r"[/,;|]", raw[:MAX_RAW_GENRE]):
        text = _tidy(part)
        if text in _MISSING:
            continue
        if text in _EXACT:
            return _EXACT[text]
        for genre, pattern in _COMPILED:
            if pattern.search(text):
                return genre
    return None
