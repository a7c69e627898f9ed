"""English function words ("the", "of"), which are left out when questions and answers are compared."""

import re

FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the of in on at to for from by with as and or but that this these those it its he she they i we you my "
        "our your his her their him them there here is are was were be been being do does did has have had can could "
        "will would may might must shall should not no who whom whose what which when where why how many much if "
        "than then so also very into about after before during between both all any some one only just same per "
        "up out whether",
    )
)
