"""Invented names in the scripts and shapes that a city's families have; no combination is anybody.

Each community lists given and family names, its share of the district, its home language, and how a
name is put together there. Pools are common words of naming, drawn independently of one another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True)
class Community:
    """A pool to draw names from; `native` maps some given names to how their bearers write them."""

    share: float
    language: str
    given: tuple[str, ...]
    family: tuple[str, ...]
    double_family: float = 0.0
    mononym: float = 0.0
    speaks_home_language: float = 0.0
    native: dict[str, str] = field(default_factory=dict)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COMMUNITIES = (
    Community(
        0.36, "en",
        _words(
            "Aaliyah Andre Brianna Camille Candace Darius Deja Devin Ebony Elijah Imani Isaiah Jada Jalen "
            "Jasmine Jerome Kendra Keisha Lamar Latoya Malik Marcus Monique Nia Raven Reggie Shanice "
            "Tamika Terrence Tiana Trevon Tyrone Vernon Whitney Xavier Zora"
        ),
        _words(
            "Allmond Barrowe Bellfield Brightwell Carrolton Coleworth Dawkinson Easterly Fairbrook "
            "Goodlow Greenlee Harmonson Hollowell Ivesmith Jamersley Kingsbury Lattimer Merriweth "
            "Nettlesby Oglethorn Pettway Quarleston Rollingsby Stallwood Tolliverd Underhay Vancely "
            "Wetherington Yarboro"
        ),
    ),
    Community(
        0.24, "en",
        _words(
            "Abigail Adam Amy Benjamin Brian Caitlin Carl Christine Daniel Diane Emily Eric Frances Grant "
            "Hannah Ian Jack Jennifer Karen Kyle Laura Luke Megan Nathan Olivia Paul Rachel Ruth Scott "
            "Sean Teresa Thomas Vera Walter"
        ),
        _words(
            "Abbotsley Brackenridge Callowhill Dunmere Ellingsworth Farnleigh Gadsdenham Hathersage "
            "Inglesby Jorvikson Kerrigan-Holt Lockmere McAllenby Northcutt O’Farrelly Penhallow "
            "Quillington Ravensdale St.Clairmont Thistlewood Umberton Van_der_Holm Wexcombe"
        ),
    ),
    Community(
        0.20, "es",
        _words(
            "Adriana Alejandro Ángel Beatriz Camila Carlos Daniela Diego Esteban Fernanda Gabriela Iván "
            "Javier Jesús José Lucía Luis María Mateo Mónica Noé Óscar Paola Raúl Rocío Santiago Sofía "
            "Ximena Yesenia"
        ),
        _words(
            "Aguirrebal Ballesterín Cifuentán Domingález Escobario Fuentespina Garzúa Hinojalba "
            "Ibarrondo Jaramontes Lozanilla Montesdeoca Núñezal Ordoñana Peñalverde Quiñonera "
            "Ríoseco Sepúlvedo Tapiales Urrutiana Villaseñal Zamorano"
        ),
        double_family=0.45, speaks_home_language=0.5,
    ),
    Community(
        0.05, "am",
        _words("Abebe Almaz Bekele Biruk Dawit Eden Fikirte Hana Kebede Meron Mulu Selam Tigist Yonas"),
        _words("Abera Alemu Assefa Bogale Desta Gebrewold Haileab Mengistab Tesfaye Woldeab Zewdu"),
        speaks_home_language=0.55,
        native={"Selam": "ሰላም", "Dawit": "ዳዊት", "Hana": "ሐና", "Abebe": "አበበ", "Tigist": "ትዕግስት"},
    ),
    Community(
        0.04, "vi",
        _words("An Bình Châu Dũng Giang Hạnh Hương Khánh Lan Linh Minh Ngọc Phương Quân Thảo Tuấn Vy"),
        _words("Đặnglê Dươnghà Hồvũ Huỳnhâu Lêđỗ Ngôthái Nguyễnhữu Phạmtô Trầnvĩ Võlâm"),
        speaks_home_language=0.35,
    ),
    Community(
        0.03, "ko",
        _words("Bo-ra Chan-ho Da-eun Eun-ji Hyun-woo Ji-hoon Min-seo Seo-yeon Soo-jin Tae-yang Yu-na"),
        _words("Bakk Changg Hahn Jangg Kwonn Nohm Paikh Rhyu Shinn Yoom"),
        speaks_home_language=0.3, native={"Min-seo": "민서", "Ji-hoon": "지훈", "Yu-na": "유나"},
    ),
    Community(
        0.03, "ar",
        _words("Ahmad Amal Bilal Dina Farid Hanan Huda Idris Khadija Layla Mariam Nabil Rania Samir Yusuf"),
        _words("Al-Basrawi Al-Khatimi Darwishah El-Maghribi Haddadin Ibn_Rashdan Najjarah Qasimi Saqqaf"),
        speaks_home_language=0.35, native={"Layla": "ليلى", "Yusuf": "يوسف", "Amal": "أمل"},
    ),
    Community(
        0.02, "my",
        _words("Aye Htet Khin Kyaw Mya Nilar Phyo Su Thandar Thiri Wai Zaw Zin"),
        _words("Aungmin Hlatun Myintsoe Nyeinlin Thantwe Winthu"),
        mononym=0.35, speaks_home_language=0.4,
    ),
    Community(
        0.02, "so",
        _words("Abdi Amina Asha Faduma Hodan Ifrah Jamal Liban Nasra Sagal Warsame Zahra"),
        _words("Abshirow Farahdin Guledi Hassanur Jamacle Nuurdin Samatari Warfaale"),
        speaks_home_language=0.45,
    ),
    Community(
        0.01, "ht",
        _words("Anaëlle Cédric Fabiola Guerline Jean-Robert Lovely Marie-Ange Rosemène Stanley Widline"),
        _words("Bélizaire Cherubinot Desrosine Jean-Pierrot Lafontantin Saintilmond Toussaintil"),
        speaks_home_language=0.5,
    ),
)  # fmt: skip

MIDDLE = _words("A. Anne B. Elise J. James Jo Lee Lynn M. Marie Rae Renée Rose T. Wade")
SUFFIXES = ("Jr.", "II", "III")


@dataclass(frozen=True)
class Name:
    """A drawn name; any part may be empty but the given one."""

    given: str
    middle: str
    family: str
    suffix: str
    preferred: str
    former: str
    language: str


def _tidy(word: str) -> str:
    return word.replace("_", " ").replace("St.Clair", "St. Clair")


def draw_name(random: Random) -> Name:
    """One invented name, put together the way its community does."""
    home = random.choices(COMMUNITIES, [c.share for c in COMMUNITIES])[0]
    given = random.choice(home.given)
    family = _tidy(random.choice(home.family))
    former = ""
    if random.random() < home.double_family:
        family = f"{family} {_tidy(random.choice(home.family))}"
    elif random.random() < 0.07:
        former, family = family, _tidy(random.choice(random.choice(COMMUNITIES[:3]).family))
    if random.random() < home.mononym:
        family = former = ""
    middle = random.choice(MIDDLE) if random.random() < 0.3 and home.language == "en" else ""
    suffix = random.choice(SUFFIXES) if random.random() < 0.015 else ""
    preferred = home.native.get(given, "") if random.random() < 0.5 else ""
    speaks = random.random() < home.speaks_home_language
    return Name(given, middle, family, suffix, preferred, former, home.language if speaks else "en")
