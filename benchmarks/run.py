"""Every benchmark, one after the other: `make bench`. Results go to `benchmarks/results/` as JSON.

The large file is a small one here, of 200 MB; `python benchmarks/large_file.py` makes the one of 2 GB. Costs are told
at fewer points, and a minute is trained of the dearest architecture only; each script alone has the whole.
"""

import cost_growth
import data_and_start
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
    data_and_start.main(models=("transformer",), rounds=2)
    cost_growth.main(short=True)
    spinning_threads.main()
