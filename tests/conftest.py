import os

from contract import environment

os.environ.update(environment.for_tensorflow())
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
