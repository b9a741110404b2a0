import great_expectations.expectations as gxe
from plugged.words.data import RecordSettings
from plugged.words.settings import ValidationSettings

__all__ = ["RecordSettings", "ValidationSettings", "columns", "content", "drifting", "expectations", "facts"]


def columns(record):
    return ("length",)


def facts(example, record):
    return {"length": len(content(example, record))}


def content(example, record):
    return example.features.feature["word"].bytes_list.value[0]


def expectations(settings, record):
    return [gxe.ExpectColumnValuesToBeBetween(column="length", min_value=1)]


def drifting(record):
    return {}
