"""`python -m hamming`, where the command `hamming` is not on the path."""

from hamming.cli import main

if __name__ == "__main__":
    main(prog_name="hamming")
