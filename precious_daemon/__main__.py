"""`python -m precious_daemon` is the command line."""

from precious_daemon.cli import main

main()
