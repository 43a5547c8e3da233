"""`python -m glassloom` is `glassloom`."""

from glassloom.cli import main

if __name__ == "__main__":
    main()
