"""Reads one file and prints how many documents it had and the process's peak memory in MB.

read_and_measure.py FORMAT PATH
"""

import re
import sys
from pathlib import Path

from medr_jax.retrieval.sources.base import Skipped
from medr_jax.retrieval.sources.stream import Format, SourceConfig

if __name__ == "__main__":
    source = SourceConfig(format=Format[sys.argv[1]], path=sys.argv[2])
    skipped = Skipped()
    count = sum(1 for _ in source.reader()(Path(sys.argv[2]), skipped))
    assert skipped.count == 0, skipped.named[0]
    # Not getrusage: its peak is kept over exec, so it would be that of the process that started us.
    status = Path("/proc/self/status").read_text()
    print(count, int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024)
