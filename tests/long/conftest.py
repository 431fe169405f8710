"""What tests of minutes share; `make test-long` runs them, CI does not."""

from __future__ import annotations

import os

from reasoning_trainer import environment

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# threads that wait for each other on shared cores cost a tiny model more than they give it
os.environ.setdefault("OMP_NUM_THREADS", "1")
environment.prepare()
