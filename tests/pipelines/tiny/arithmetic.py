"""What `double` needs and the other two do not."""


def multiply(value: int, times: int) -> int:
    return value * times
