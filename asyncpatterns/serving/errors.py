"""What a client of a served model can be told is wrong."""


class InvalidInput(ValueError):
    """The request cannot be given to the model; the text says what came and what was expected."""


class UnknownName(LookupError):
    """A model, version, signature or address that is not served here; the text says what is."""


class BodyTooLarge(ValueError):
    """The request's body is larger than this server reads."""
