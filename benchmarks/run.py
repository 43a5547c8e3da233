"""Every benchmark, one after the other: `make bench`. Results go to `benchmarks/results/` as JSON."""

import recurrent_layers

if __name__ == "__main__":
    recurrent_layers.main()
