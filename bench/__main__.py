"""`python -m bench` is `bench`."""

from bench.command.cli import main

if __name__ == "__main__":
    main(prog_name="bench")
