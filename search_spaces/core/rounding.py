"""Channels in steps that hardware likes."""


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Rounds to a multiple of `divisor`, never below 90 % of `channels` (MobileNet's rule).

    >>> make_divisible(18), make_divisible(20), make_divisible(3)
    (24, 24, 8)
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
