"""What can go wrong between the registry and the model server, in words for the person who must fix it."""


class ReleaseError(Exception):
    """A version could not be served; what was served before still is."""


class AliasMovedError(ReleaseError):
    """Somebody moved the alias `champion` on while a version was being released; that choice stands."""


class AliasPutBackError(ReleaseError):
    """The version that somebody moved the alias `champion` to cannot be served; the alias is where it was before."""


class RegistryError(Exception):
    """The registry does not hold what was asked for."""


class ServerUnavailableError(Exception):
    """The model server or the registry does not answer. Trying again may help."""


class PromotionRefusedError(Exception):
    """A run may not promote this version by itself; its text says why, and what a person can do."""
