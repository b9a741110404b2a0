from plugged.words.data import DataSettings, RecordSettings

from components.families.sections import ValidationSettings
from components.settings import Section

__all__ = [
    "COMPRESSES",
    "AugmentationSettings",
    "DataSettings",
    "NetworkSettings",
    "RecordSettings",
    "ValidationSettings",
]

COMPRESSES = False
AugmentationSettings = None


class NetworkSettings(Section):
    units: int = 8
