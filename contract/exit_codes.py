"""How a program of Slipway's says to the one that started it how it ended.

The numbers are those of BSD's sysexits.h where one fits; 99 is what Airflow's own operators take for "skip".
"""

SUCCEEDED = 0
UNKNOWN = 1
BAD_DATA = 65  # EX_DATAERR
TEMPORARY = 75  # EX_TEMPFAIL: another attempt may succeed
BAD_SETTINGS = 78  # EX_CONFIG
REFUSED = 99  # a gate said no; in TFX's words, the model is not blessed
CANCELLED = 143  # 128 + SIGTERM, as a shell has it
