from typing import Literal

from components.families import sections
from components.settings import Section


class RecordSettings(Section):
    vowels: str = "aeiou"


class DataSettings(sections.DataSettings, RecordSettings):
    source: Literal["made_up"] = "made_up"
