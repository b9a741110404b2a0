"""What the sections of a configuration have in common. Knows pydantic, nothing of TensorFlow."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of a pipeline's configuration: unknown keys are an error, values do not change.

    The text below a field is its description: that of the trigger form, where the field has a title.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


SectionT = TypeVar("SectionT", bound=Section)


def part(section: Section, kind: type[SectionT]) -> SectionT:
    """Returns the fields of `section` that `kind` declares: what one owner said of a section that several share."""
    return kind.model_validate(section.model_dump(include=set(kind.model_fields)))
