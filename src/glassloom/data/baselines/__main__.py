"""`python -m glassloom.data.baselines FOLDER SPLIT`: the process of `BaselineJob`."""

import sys

from glassloom.data.baselines.job import main

if __name__ == "__main__":
    main(*sys.argv[1:])
