"""Whether a short form stands for a long form written beside it."""


def is_abbreviation(short: str, long: str) -> bool:
    """Schwartz and Hearst's rule (PSB 2003): the short form's characters, read backwards, occur
    in this order in the long form, and the first of them begins a word there.

    It is sound only for a pair that the text itself sets side by side, as in "Marfan syndrome
    (MFS)": "MS" would also fit multiple sclerosis.
    """
    short, long = short.strip(), long.strip()
    if not 2 <= len(short) <= 10 or len(short.split()) > 2 or len(short) >= len(long):
        return False
    if not any(char.isalpha() for char in short) or not short[0].isalnum():
        return False
    place = len(long)
    for position in range(len(short) - 1, -1, -1):
        char = short[position].lower()
        if not char.isalnum():
            continue
        place -= 1
        while place >= 0 and not _fits(long, place, char, is_first=position == 0):
            place -= 1
        if place < 0:
            return False
    return True


def _fits(long: str, place: int, char: str, *, is_first: bool) -> bool:
    begins_word = place == 0 or not long[place - 1].isalnum()
    return long[place].lower() == char and (begins_word or not is_first)
