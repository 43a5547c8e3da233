"""Every benchmark, one after the other: `make bench`. Results go to `benchmarks/results/` as JSON.

The large file is a small one here, of 200 MB; `python benchmarks/large_file.py` makes the one of 2 GB.
"""

import decoding
import large_file
import recurrent_layers
import spinning_threads
import tokenizing

if __name__ == "__main__":
    recurrent_layers.main()
    decoding.main()
    tokenizing.main()
    large_file.main(megabytes=200)
    spinning_threads.main()
