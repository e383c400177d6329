"""The stations of Kestrel Rail, in the country of Arvenia. Neither exists.

People rarely say a station's full name, so that each may have nicknames; `find_station` knows them all,
and forgives a typo.
"""

from functools import cache

COMPANY = "Kestrel Rail"
BOT = "Kes"

STATIONS: dict[str, tuple[str, ...]] = {
    "Aldermere": ("aldy",),
    "Brackwater": ("brack",),
    "Calder Vale": ("the vale", "calder"),
    "Coldharbour": (),
    "Dunmarsh": (),
    "Eastmoor": (),
    "Elmstead": (),
    "Fenwick Bridge": ("fenwick",),
    "Foxhollow": (),
    "Garrick": (),
    "Greyfell": (),
    "Haldry": (),
    "Hartsea": (),
    "High Larch": ("larch",),
    "Ivywell": (),
    "Juniper Hill": ("the hill", "juniper"),
    "Kelstrom": ("kels",),
    "Kingsferry": ("the ferry", "kf", "kingsferry central"),
    "Larkfield": (),
    "Lower Tamsin": ("lower t",),
    "Marrow Bay": ("the bay", "marrow"),
    "Millgate": (),
    "Morwen": (),
    "Oakhaven": (),
    "Old Quarry": ("the quarry",),
    "Orlen": (),
    "Pellamy": (),
    "Port Selda": ("the port", "selda"),
    "Quillon": (),
    "Ravensford": ("the ford", "ravens"),
    "Redscar": (),
    "Rosk": (),
    "Saint Orwin": ("st orwin", "orwin"),
    "Silverlake": ("the lake",),
    "Stonebeck": ("stoney",),
    "Tarn Head": ("the tarn",),
    "Thornwick": (),
    "Ulverby": (),
    "Upper Tamsin": ("upper t",),
    "Vantry": (),
    "Westerholm": ("the holm", "wester"),
    "Whitmoor": (),
    "Wyndle": (),
    "Yarrow Point": ("the point", "yarrow"),
    "Zellin Springs": ("the springs", "zellin"),
}


def find_station(text: str) -> str | None:
    """The official name of the station that `text` means: a name or a nickname, in any case, with at most one typo.

    Returns None when no station, or more than one, is that close."""
    spoken = " ".join(text.lower().replace("-", " ").split()).removesuffix(" station")
    exact = _names().get(spoken)
    if exact or len(spoken) < 4:
        return exact
    candidates = {station for near in (spoken, *_deletions(spoken)) for station in _near_misses().get(near, ())}
    return candidates.pop() if len(candidates) == 1 else None


@cache
def _names() -> dict[str, str]:
    return {name.lower(): station for station, nicknames in STATIONS.items() for name in (station, *nicknames)}


@cache
def _near_misses() -> dict[str, set[str]]:
    """Every name of four letters or more with at most one letter left out. Two texts that are one insertion, deletion,
    replacement or swap apart meet here when the other one loses a letter, too (symmetric deletion, SymSpell)."""
    found: dict[str, set[str]] = {}
    for name, station in _names().items():
        if len(name) >= 4:
            for near in (name, *_deletions(name)):
                found.setdefault(near, set()).add(station)
    return found


def _deletions(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i in range(len(word))]
