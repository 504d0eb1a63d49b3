"""How likely and how quick things are in the demo shop. All numbers are invented.

Chances lie between 0 and 1. Spans are pairs, both ends included: of days, or of how many.
"""

from typing import Final, TypeAlias

Chance: TypeAlias = float
Span: TypeAlias = tuple[int, int]

# First contact.
GROWTH: Final = 0.8  # below 1: more people come late in the history than early
FIRST_IN_STORE: Chance = 0.15
ONLY_LOOKS_IN: Chance = 0.16

# Considering.
DAYS_TO_NEXT_VISIT: Span = (1, 9)
VISITS_BEFORE_DECIDING: Span = (1, 4)
LOOKS_IN_A_VISIT: Span = (1, 3)
LOOKS_UP_A_CATEGORY: Chance = 0.4
SEARCHES: Chance = 0.25
RESEARCHES: Chance = 0.2
SUBSCRIBES: Chance = 0.3
ASKS_BEFORE_BUYING: Chance = 0.16
LOSES_INTEREST: Chance = 0.16  # after all visits before deciding

# Deciding.
STARTS_CHECKOUT: Chance = 0.8
ABANDONS_CART: Chance = 0.32
DAYS_TO_CART_MAIL: Span = (1, 2)
COMES_BACK_TO_CART: Chance = 0.55
DAYS_TO_COME_BACK_TO_CART: Span = (1, 9)

# Buying.
PREFERS_STORE: Chance = 0.28
BUYS_ELSEWHERE_THIS_TIME: Chance = 0.2  # in the store instead of online, or the reverse
MAKES_AN_ACCOUNT: Chance = 0.9  # instead of ordering as a guest
ITEMS_BOUGHT: Span = (1, 3)

# After buying.
NEEDS_HELP: Chance = 0.26
COMPLAINS: Chance = 0.22  # those who are not happy
RETURNS_IT: Chance = 0.09
RETURNS_IT_IN_STORE: Chance = 0.35
DAYS_TO_RETURN: Span = (5, 25)
ANSWERS_SURVEY: Chance = 0.3
IS_HAPPY: Chance = 0.7
REVIEWS: Chance = 0.16
RECOMMENDS: Chance = 0.1  # those who are happy

# Going on.
BUYS_AGAIN: Chance = 0.72
DAYS_BETWEEN_PURCHASES: Span = (15, 60)
VISITS_BETWEEN_PURCHASES: Span = (0, 4)
COMES_BACK_AFTER_LAPSING: Chance = 0.35
DAYS_LAPSED: Span = (60, 240)

# Devices and mails.
HAS_SECOND_DEVICE: Chance = 0.35
USES_SECOND_DEVICE: Chance = 0.4
LOGS_IN_ON_IT: Chance = 0.85
DAYS_BETWEEN_NEWSLETTERS: Final = 14
DAYS_OF_ATTENTION: Final = 45  # so long after a visit newsletters are opened often
OPENS_WHEN_ATTENTIVE: Chance = 0.5
OPENS_OTHERWISE: Chance = 0.03
CLICKS_WHEN_OPENED: Chance = 0.25
UNSUBSCRIBES: Chance = 0.01  # at each newsletter opened

# Deliveries that go wrong.
SENT_TWICE: Chance = 0.008  # a web touchpoint, by a sender that saw no answer
DAYS_BETWEEN_REPEATED_FILES: Final = 45  # a store's day file that arrives twice
