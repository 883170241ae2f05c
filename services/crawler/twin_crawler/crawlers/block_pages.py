"""Pages that stand in the way of a text: challenges, login walls, paywalls, empty shells that want JavaScript."""

import re

from twin_crawler.crawlers.page_tree import Tree

_LITTLE, _NEXT_TO_NOTHING = 1500, 300
"""Characters of a main text: below the one it may itself be the obstacle, below the other any word around it counts."""
_END = 300
"""Characters; an offer to buy the rest stands at the end of the beginning, elsewhere in a text it is quoted."""
_TITLES = re.compile(
    r"just a moment|attention required|access (to this page has been )?denied|are you (a robot|human)|robot check|"
    r"security (check|verification)|pardon our interruption|verify(ing)? (that )?you are|ddos protection|"
    r"\b40[34]\b|not found|forbidden|page unavailable|"
    r"(please )?(sign|log) ?in( to .*| [|·-] .*)?$|login( [|·-] .*)?$|before you continue",
    re.IGNORECASE,
)
_OBSTACLES = re.compile(
    r"(enable|turn on|requires?|need|activer|aktivier\w*|activar|habilitar|abilita\w*)\W+(?:\w+\W+){0,3}javascript|"
    r"javascript\W+(?:\w+\W+){0,4}(disabled|enabled|required|aktivier\w*|activé|deaktiviert)|"
    r"verify(ing)? (that )?you are (a )?(human|not a robot)|checking your browser|unusual traffic|captcha|"
    r"(sign|log) ?in (or sign up )?to (continue|view|see|read)|you (must|have to|need to) (be logged|log|sign) ?in",
    re.IGNORECASE,
)
_PAYWALLS = re.compile(
    r"this post is for pa(id|ying) subscribers|to (read|see) the (full|rest of( the| this)?) (story|article|post)|"
    r"subscribe to (keep|continue) reading|(continue|keep) reading (this \w+ )?with a|"
    r"this (story|article|content) is for (members|subscribers) only",
    re.IGNORECASE,
)
_NOT_FREE = re.compile(r'"isAccessibleForFree"\s*:\s*"?false', re.IGNORECASE)


def obstacle_in(tree: Tree, title: str, text: str) -> str | None:
    """Return what stands in the text's way, for a person to read; None where the page holds its text.

    Args:
        tree: the page as it came.
        text: the words that were found to be its main text.
    """
    if any(_NOT_FREE.search(script.text or "") for script in tree.xpath("//script[@type='application/ld+json']")):
        return "the site says that the text is not free to read, so this is only its beginning"
    page = " ".join(" ".join(tree.xpath("//body//text()[not(parent::script or parent::style)]")).split())
    wall = _PAYWALLS.search(page)
    if wall and wall[0] not in text[:-_END]:
        return f"the site shows the beginning only: {wall[0]!r}"
    if len(text) > _LITTLE:
        return None
    if found := _TITLES.match(title):
        return f"it is no text, its title says {found[0]!r}"
    hidden = len(text) < _NEXT_TO_NOTHING
    if hidden and tree.xpath("//input[@type='password']"):
        return "it asks for a password"
    found = _OBSTACLES.search(page if hidden else text)
    return f"it shows no text to programs: {found[0]!r}" if found else None
