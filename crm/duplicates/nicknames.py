"""Given names that stand for one another, in English and Spanish; each line one group."""

from __future__ import annotations

GROUPS = """
abigail abby gail
albert al bert
alejandro alex ale
alejandra alex ale
alexander alex sandy xander
alexandra alex sandra lexi
alfred al fred
andrew andy drew
anthony tony
antonio tony toño
barbara barb barbie
benjamin ben benny
bernard bernie
bradley brad
calvin cal
catherine katherine kathryn cathy kathy kate katie kat
charles charlie chuck chas
christina christine tina chris chrissy
christopher chris kit topher
cynthia cindy
daniel dan danny dani
david dave davey
deborah deb debbie
donald don donny
dorothy dot dottie
edward ed eddie ned ted
eduardo lalo edu
elizabeth liz beth betty lizzie eliza libby
enrique quique kike
eugene gene
florence flo
frances fran franny
francis frank
francisco paco pancho cisco
franklin frank
frederick fred freddy
gabriel gabe
gabriela gaby gabi
gerald jerry
gregory greg
guadalupe lupe lupita
guillermo memo
harold hal harry
henry hank harry
ignacio nacho
isabel isa chabela
isabella bella izzy
jacob jake
james jim jimmy jamie
janet jan
jeffrey jeff
jennifer jen jenny
jessica jess jessie
jesus chuy
john jack johnny
jonathan jon john
jose pepe
joseph joe joey
joshua josh
judith judy
kenneth ken kenny
kimberly kim
lawrence larry
leonard len lenny leo
lillian lily
luis lucho
manuel manny manolo
margaret maggie meg peggy marge
maria mari
matthew matt
megan meg
melissa missy mel
michael mike mickey
miguel mike
mohammed mohamed muhammad mohammad
nancy nan
natalie nat
nathaniel nathan nate nat
nicholas nick nicky
nicole nikki
pamela pam
patricia pat patty tricia trish
patrick pat
peter pete
philip phil
priscilla cilla
rafael rafa
raymond ray
rebecca becky becca
richard rich rick ricky dick
roberto beto
robert rob bob bobby robbie bert
ronald ron ronny
rosario chayo
russell russ
samantha sam
samuel sam sammy
sandra sandy
stephanie steph
stephen steven steve
susan sue susie
susanna susan sue
teresa tere terry
theodore ted teddy theo
theresa terry tess
thomas tom tommy
timothy tim
valerie val
victoria vicky tori
vincent vince
virginia ginny
walter walt
william will bill billy liam
zachary zach
"""


def same_name() -> dict[str, frozenset[int]]:
    """For each name the groups it stands in: two names that share one stand for one another."""
    found: dict[str, set[int]] = {}
    for n, line in enumerate(GROUPS.split("\n")):
        for name in line.split():
            found.setdefault(name.replace("ñ", "n"), set()).add(n)
    return {name: frozenset(groups) for name, groups in found.items()}
