"""What channel operations raise."""


class ChannelClosed(Exception):
    """The channel takes no more values, and, for a receive, holds none either. Or the end that was used is closed."""


class ChannelBroken(ChannelClosed):
    """The last receiver end of the channel was closed: nobody is left to read what is sent."""


class WouldBlock(Exception):
    """The operation would have to wait, and was told not to."""
